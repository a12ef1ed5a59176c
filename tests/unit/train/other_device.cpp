#include "unit/train/other_device.h"

#include <csignal>

#include "runtime/registry.h"
#include "unit/train/run.h"

namespace temper {
namespace {

class OtherExecutable : public Executable {
 public:
  explicit OtherExecutable(std::unique_ptr<Executable> inner) : inner_(std::move(inner)) {}
  const Program& program() const override { return inner_->program(); }
  std::unique_ptr<Context> make_context(std::shared_ptr<Arena> arena) const override {
    return inner_->make_context(std::move(arena));
  }
  void run(Context& context, std::span<Tensor> arguments, std::span<Tensor> results) const override {
    const int64_t number = other_runs().count++;
    if (number == other_runs().fail_at) throw Error(ErrorKind::device, "the other one is lost");
    if (number == other_runs().stop_at) raise(SIGTERM);
    inner_->run(context, arguments, results);
  }

 private:
  std::unique_ptr<Executable> inner_;
};

// Opened before, for the list of devices is locked while one is opened.
Device& inner() {
  static Device& device = test_device();
  return device;
}

class OtherDevice : public Device {
 public:
  std::string_view name() const override { return "other"; }
  const Target& target() const override { return inner_.target(); }
  DeviceFacts facts() override { return inner_.facts(); }
  Tensor allocate(const Type& type, int64_t layout) override { return inner_.allocate(type, layout); }
  void copy(const Tensor& from, Tensor& to) override { inner_.copy(from, to); }
  std::unique_ptr<Executable> load(std::shared_ptr<const Program> program) override {
    return std::make_unique<OtherExecutable>(inner_.load(std::move(program)));
  }

 private:
  Device& inner_ = inner();
};

std::unique_ptr<Device> open(std::string_view) { return std::make_unique<OtherDevice>(); }

}  // namespace

OtherRuns& other_runs() {
  static OtherRuns runs;
  return runs;
}

Device& other_device() {
  static Device& device = []() -> Device& {
    register_device({"other", open, &inner().target()});
    return open_device("other");
  }();
  return device;
}

}  // namespace temper
