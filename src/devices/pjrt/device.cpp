#include <algorithm>
#include <filesystem>

#include "base/check.h"
#include "devices/pjrt/executable.h"
#include "devices/pjrt/find.h"
#include "devices/pjrt/pjrt.h"
#include "devices/pjrt/tensors.h"

namespace temper::pjrt {

namespace {

class PjrtDevice : public Device {
 public:
  PjrtDevice(std::string name, std::shared_ptr<Client> client)
      : name_(std::move(name)), client_(std::move(client)) {}

  std::string_view name() const override { return name_; }
  const Target& target() const override { return pjrt_target(); }
  int replicas() const override { return client_->replicas(); }

  DeviceFacts facts() override {
    const Plugin& plugin = client_->plugin();
    DeviceFacts facts{.target = {.name = "pjrt"}};
    facts.target.facts = {{"api", plugin.version()},
                          {"file", plugin.path()},
                          {"platform", client_->platform_name()},
                          {"version", client_->platform_version()}};
    facts.target.memory_bytes = client_->memory_bytes();
    facts.description = concat("XLA, ", client_->device_kind(), ", ", client_->replicas(), " of ",
                               client_->addressable(), " devices");
    return facts;
  }

  Tensor allocate(const Type& type, int64_t layout) override { return make_tensor(type, layout, this); }

  void copy(const Tensor& from, Tensor& to) override {
    TEMPER_CHECK(from.type() == to.type(), "copy from ", to_string(from.type()), " to ",
                 to_string(to.type()));
    if (from.on_host())
      write_tensor(*client_, from, to);
    else if (to.on_host())
      read_tensor(*client_, from, to);
    else
      copy_tensor(*client_, from, to);
  }

  std::unique_ptr<Executable> load(std::shared_ptr<const Program> program) override {
    return make_executable(*this, client_, *program);
  }

 private:
  std::string name_;
  std::shared_ptr<Client> client_;
};

[[noreturn]] void absent(std::string_view name, const Search& search) {
  std::vector<std::string> names;
  for (const Found& found : search.plugins) names.push_back(found.name);
  const std::string what = name.empty() ? "no PJRT plug-in" : concat("no PJRT plug-in for `", name, "`");
  throw Error(
      ErrorKind::device,
      concat(what, " was found", names.empty() ? "" : concat(" (there is ", join(names, ", "), ")"),
             "; name its file (pjrt:FILE) or set TEMPER_PJRT_PATH; looked in ", join(search.places, ", ")));
}

std::string path_of(std::string_view which) {
  if (which.find('/') != std::string_view::npos || which.ends_with(".so")) return std::string(which);
  const Search search = find_plugins();
  for (const Found& found : search.plugins) {
    if (which.empty() || found.name == which) return found.path;
  }
  absent(which, search);
}

// `which`: a name or a file, perhaps with `:N` or `:all`.
std::unique_ptr<Device> open(std::string_view which) {
  const size_t colon = which.rfind(':');
  std::optional<size_t> ordinal = 0;
  std::string_view plugin = which;
  if (int64_t number = 0; colon != std::string_view::npos) {
    const std::string_view last = which.substr(colon + 1);
    if (last == "all")
      ordinal.reset();
    else if (parse_number(last, number) && number < 0)
      throw Error(ErrorKind::device, concat("device `pjrt:", which, "`: expected a number from 0"));
    else if (parse_number(last, number))
      ordinal = static_cast<size_t>(number);
    if (!ordinal || parse_number(last, number)) plugin = which.substr(0, colon);
  }
  const std::string path = path_of(plugin);
  if (const std::string why = why_no_hardware(plugin_name(std::filesystem::path(path).filename().string()));
      !why.empty())
    throw Error(ErrorKind::device, concat("'", path, "' is not opened: ", why)).in_file(path);
  return std::make_unique<PjrtDevice>(concat("pjrt:", which), Client::create(Plugin::open(path), ordinal));
}

// Of several plug-ins of one name the first; a TPU has a line of its own.
std::vector<std::string> present() {
  std::vector<std::string> names;
  for (const Found& found : find_plugins().plugins) {
    std::string name = concat("pjrt:", found.name);
    if (found.name != "tpu" && std::ranges::find(names, name) == names.end())
      names.push_back(std::move(name));
  }
  if (names.empty()) names.emplace_back("pjrt");  // opening it says why there is none
  return names;
}

std::unique_ptr<Device> open_tpu(std::string_view which) {
  return open(which.empty() ? "tpu:all" : concat("tpu:", which));
}

}  // namespace

DeviceKind pjrt_device() { return {"pjrt", open, &pjrt_target(), present}; }
DeviceKind tpu_device() { return {"tpu", open_tpu, &pjrt_target()}; }

}  // namespace temper::pjrt
