#pragma once
// State on a device, and programs that share it.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/device.h"

namespace temper {

// Named tensors on one device, each in the layout that its last reader wanted.
class DeviceState {
 public:
  explicit DeviceState(Device& device) : device_(device) {}
  Device& device() const { return device_; }

  // Uploaded when a program first binds it; until then it shares the bytes of `host`.
  void set(const std::string& name, const Tensor& host);
  // A tensor of the device, as the programs that read it want it.
  void adopt(const std::string& name, Tensor tensor) { tensors_[name] = std::move(tensor); }
  Tensor get(const std::string& name) const;                                     // a host copy, row-major
  const Tensor& at(const std::string& name) const { return tensors_.at(name); }  // where and how it lies now
  bool contains(const std::string& name) const { return tensors_.contains(name); }
  std::vector<std::string> names() const;
  int64_t bytes(const std::string& name) const { return tensors_.at(name).bytes(); }

 private:
  friend class BoundProgram;
  Device& device_;
  std::shared_ptr<Arena> arena_ = std::make_shared<Arena>();  // of all programs, for one runs at a time
  std::map<std::string, Tensor> tensors_;  // on the host until bound; nodes of a map do not move
};

// A compiled graph whose inputs named in the state are read from there, and, if donated, written back. The
// other inputs are this program's own: allocated once, filled by the caller. Once run, a further run
// allocates nothing unless another program has left the state in a layout that this one does not want.
class BoundProgram {
 public:
  BoundProgram(DeviceState& state, const Graph& graph, const CompileOptions& options);
  BoundProgram(DeviceState& state, std::shared_ptr<const Program> program);  // compiled before

  bool has(std::string_view input) const;       // an input of its own
  Tensor& input(std::string_view name);         // on the device
  const Tensor& output(std::string_view name);  // of the last run; not for donated ones
  Tensor host_output(std::string_view name);    // row-major; borrows device memory where the host can read it
  void fill(std::string_view name, const Tensor& host);
  void fill(std::string_view name, float scalar);
  void run();
  const Program& program() const { return executable_->program(); }
  const Executable& executable() const { return *executable_; }

 private:
  BoundProgram(DeviceState& state, std::unique_ptr<Executable> executable);
  void bind(size_t argument);

  DeviceState& state_;
  std::unique_ptr<Executable> executable_;
  std::unique_ptr<Context> context_;
  std::vector<Tensor> arguments_, results_;
  std::vector<Tensor*> shared_;  // by argument: its tensor in the state, or null
  std::vector<bool> donated_;    // by argument
  std::vector<Donation> donations_;
  Tensor scalar_;
};

}  // namespace temper
