#include "devices/pjrt/topology.h"

#include <cstdlib>

#include "base/check.h"
#include "devices/pjrt/client.h"
#include "devices/pjrt/compile_options.h"
#include "devices/pjrt/pjrt.h"
#include "runtime/isolate.h"

namespace temper::pjrt {

namespace {

struct Generation {
  std::string_view name;
  int64_t gigabytes;  // of a chip, 2^30 bytes: cloud.google.com/tpu/docs, "System architecture"
};
constexpr Generation kGenerations[] = {{"v4", 32}, {"v5e", 16}, {"v5litepod", 16}, {"v5p", 95}, {"v6e", 32}};

class Topology {
 public:
  Topology(const Plugin& plugin, const std::string& name) : plugin_(plugin) {
    Sent<TopologyCreateArgs> create;
    create->topology_name = name.data();
    create->topology_name_size = name.size();
    plugin_.call(Function::topology_create, create, "describe that topology");
    topology_ = create->topology;
    Sent<TopologyDescriptionsArgs> list;
    list->topology = topology_;
    plugin_.call(Function::topology_get_device_descriptions, list, "list the chips of a topology");
    for (size_t i = 0; i < list->num_descriptions; ++i) describe(list->descriptions[i]);
    if (ids_.empty()) throw Error(ErrorKind::device, concat("topology `", name, "` has no chips"));
  }
  Topology(const Topology&) = delete;
  Topology& operator=(const Topology&) = delete;
  ~Topology() {
    Sent<TopologyArgs> destroy;
    destroy->topology = topology_;
    plugin_.try_call(Function::topology_destroy, destroy);
  }

  size_t chips() const { return ids_.size(); }
  const std::string& kind() const { return kind_; }
  std::string version() const {
    Sent<TopologyTextArgs> ask;
    ask->topology = topology_;
    return plugin_.try_call(Function::topology_platform_version, ask) ? std::string(ask->text, ask->text_size)
                                                                      : "";
  }

  CompiledMemory compile(std::string_view stablehlo, int replicas) const {
    static constexpr std::string_view kFormat = "mlir";
    const std::string options = compile_options(std::span(ids_).first(static_cast<size_t>(replicas)));
    Sent<CProgram> program;
    program->code = stablehlo.data();
    program->code_size = stablehlo.size();
    program->format = kFormat.data();
    program->format_size = kFormat.size();
    Sent<CompileArgs> compile;
    compile->topology = topology_;
    compile->program = &program.args;
    compile->compile_options = options.data();
    compile->compile_options_size = options.size();
    plugin_.call(Function::compile, compile, "compile a program");
    const CompiledMemory memory = compiled_memory(plugin_, compile->executable);
    Sent<ExecutableArgs> destroy;
    destroy->executable = compile->executable;
    plugin_.try_call(Function::executable_destroy, destroy);
    return memory;
  }

 private:
  void describe(CDescription* description) {
    Sent<DescriptionIdArgs> id;
    id->device_description = description;
    plugin_.call(Function::description_id, id, "number a chip");
    ids_.push_back(id->id);
    Sent<DescriptionKindArgs> kind;
    kind->device_description = description;
    if (plugin_.try_call(Function::description_kind, kind))
      kind_.assign(kind->device_kind, kind->device_kind_size);
  }

  const Plugin& plugin_;
  CTopology* topology_ = nullptr;
  std::vector<int64_t> ids_;
  std::string kind_;
};

std::string to_text(const CompiledMemory& m) {
  return concat(m.code, " ", m.arguments, " ", m.outputs, " ", m.donated, " ", m.temporaries);
}

CompiledMemory from_text(std::string_view text) {
  CompiledMemory m;
  int64_t* const fields[] = {&m.code, &m.arguments, &m.outputs, &m.donated, &m.temporaries};
  const std::vector<std::string_view> words = split(text, ' ');
  for (size_t i = 0; i < std::size(fields); ++i)
    TEMPER_CHECK(i < words.size() && parse_number(words[i], *fields[i]), "memory: ", text);
  return m;
}

[[noreturn]] void refuse(std::string_view device) {
  throw Error(ErrorKind::unsupported, concat("device `", device,
                                             "` is a topology, there is no hardware behind it: "
                                             "`temper inspect MODEL --plan` takes it, nothing else does"));
}

class CompiledAhead : public Executable {
 public:
  CompiledAhead(std::string_view device, Program program) : device_(device), program_(std::move(program)) {}
  const Program& program() const override { return program_; }
  std::unique_ptr<Context> make_context(std::shared_ptr<Arena>) const override { refuse(device_); }
  void run(Context&, std::span<Tensor>, std::span<Tensor>) const override { refuse(device_); }

 private:
  std::string device_;
  Program program_;
};

class TopologyDevice : public Device {
 public:
  TopologyDevice(std::string name, const Plugin& plugin, const std::string& topology, bool replicas)
      : name_(std::move(name)),
        plugin_(plugin),
        topology_name_(topology),
        topology_(plugin, topology),
        memory_(memory_of_chip(topology)),
        replicas_(replicas ? static_cast<int>(topology_.chips()) : 1) {}

  std::string_view name() const override { return name_; }
  const Target& target() const override { return pjrt_target(); }
  int replicas() const override { return replicas_; }

  DeviceFacts facts() override {
    DeviceFacts facts{.target = {.name = "pjrt"}};
    facts.target.facts = {
        {"api", plugin_.version()}, {"file", plugin_.path()}, {"version", topology_.version()}};
    facts.target.memory_bytes = memory_;
    facts.description = concat("XLA, ", topology_.kind(), ", ", replicas_, " of ", topology_.chips(),
                               " chips that are not here");
    return facts;
  }

  Tensor allocate(const Type&, int64_t) override { refuse(name_); }
  void copy(const Tensor&, Tensor&) override { refuse(name_); }

  std::unique_ptr<Executable> load(std::shared_ptr<const Program> program) override {
    Program known = *program;
    const int replicas = program->options.replicas;
    const CompiledMemory memory =
        compiles_isolated() ? from_text(compile_in_process(
                                  "pjrt", {concat(plugin_.path(), ":", topology_name_), concat(replicas)},
                                  program->code, plugin_.path()))
                            : topology_.compile(program->code, replicas);
    known.memory.code = memory.code;
    known.memory.arguments = memory.arguments;
    known.memory.outputs = memory.outputs - memory.donated;
    known.memory.donated = memory.donated;
    known.memory.temporaries = known.memory.floor = known.memory.plain_temporaries = memory.temporaries;
    return std::make_unique<CompiledAhead>(name_, std::move(known));
  }

 private:
  std::string name_;
  const Plugin& plugin_;
  std::string topology_name_;
  Topology topology_;
  int64_t memory_;
  int replicas_;
};

}  // namespace

std::string compile_for_topology(const Plugin& plugin, const std::string& topology, std::string_view code,
                                 int replicas) {
  return to_text(Topology(plugin, topology).compile(code, replicas));
}

int64_t memory_of_chip(std::string_view topology) {
  const std::string_view generation = topology.substr(0, topology.find(':'));
  for (const Generation& known : kGenerations)
    if (known.name == generation) return known.gigabytes << 30;
  return 0;
}

void prepare_for_topologies() {
  setenv("ALLOW_MULTIPLE_LIBTPU_LOAD", "1", 0);  // else a file in /tmp lets one process a machine in
  setenv("TPU_SKIP_MDS_QUERY", "1", 0);
  setenv("TPU_WORKER_HOSTNAMES", "localhost", 0);
  setenv("TPU_MIN_LOG_LEVEL", "3", 0);
  setenv("TPU_STDERR_LOG_LEVEL", "3", 0);
}

std::unique_ptr<Device> open_topology(std::string name, const Plugin& plugin, const std::string& topology,
                                      bool replicas) {
  return std::make_unique<TopologyDevice>(std::move(name), plugin, topology, replicas);
}

}  // namespace temper::pjrt
