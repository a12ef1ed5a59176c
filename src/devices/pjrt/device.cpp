#include <algorithm>
#include <filesystem>

#include "base/check.h"
#include "devices/pjrt/executable.h"
#include "devices/pjrt/find.h"
#include "devices/pjrt/pjrt.h"
#include "devices/pjrt/tensors.h"
#include "devices/pjrt/topology.h"
#include "runtime/peaks.h"

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
    facts.on_host = client_->platform_name() == "cpu";
    return facts;
  }

  DeviceFacts measure() override {
    if (!peaks_) peaks_ = measure_peaks(*this);
    return with_peaks(facts(), *peaks_);
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
  std::optional<Peaks> peaks_;  // of one of its devices
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

// "cpu", "cpu:2", "/a/b.so:all", "tpu:v5e:2x2", "tpu:v5e:2x2:all"
struct Asked {
  std::string plugin, topology;
  std::optional<size_t> ordinal = 0;  // none: all
};

Asked parse(std::string_view which) {
  std::vector<std::string_view> words = split(which, ':');
  Asked asked{std::string(words.front()), {}};
  words.erase(words.begin());
  int64_t number = 0;
  if (!words.empty() && words.back() == "all") {
    asked.ordinal.reset();
    words.pop_back();
  } else if (!words.empty() && parse_number(words.back(), number)) {
    if (number < 0)
      throw Error(ErrorKind::device, concat("device `pjrt:", which, "`: expected a number from 0"));
    asked.ordinal = static_cast<size_t>(number);
    words.pop_back();
  }
  asked.topology = join(words, ":");
  return asked;
}

std::unique_ptr<Device> open(std::string_view which) {
  const Asked asked = parse(which);
  const std::string path = path_of(asked.plugin);
  std::string name = concat("pjrt:", which);
  if (!asked.topology.empty()) {
    prepare_for_topologies();
    return open_topology(std::move(name), Plugin::open(path), asked.topology, !asked.ordinal);
  }
  if (const std::string why = why_no_hardware(plugin_name(std::filesystem::path(path).filename().string()));
      !why.empty())
    throw Error(ErrorKind::device, concat("'", path, "' is not opened: ", why)).in_file(path);
  return std::make_unique<PjrtDevice>(std::move(name), Client::create(Plugin::open(path), asked.ordinal));
}

// words: what opens the plug-in, and how many replicas.
std::string compile_alone(std::span<const std::string> words, std::string_view code) {
  int64_t replicas = 1;
  if (words.size() != 2 || !parse_number(words[1], replicas))
    throw Error(ErrorKind::invalid, "compile-alone pjrt: expected a plug-in and a number of replicas");
  const Asked asked = parse(words[0]);
  const Plugin& plugin = Plugin::open(asked.plugin);
  if (!asked.topology.empty())
    return compile_for_topology(plugin, asked.topology, code, static_cast<int>(replicas));
  return Client::create(plugin, asked.ordinal)->compile(code, static_cast<int>(replicas))->serialized();
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

DeviceKind pjrt_device() { return {"pjrt", open, &pjrt_target(), present, compile_alone}; }
DeviceKind tpu_device() { return {"tpu", open_tpu, &pjrt_target()}; }

}  // namespace temper::pjrt
