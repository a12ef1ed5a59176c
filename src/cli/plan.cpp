#include "runtime/plan.h"

#include <algorithm>

#include "base/file.h"
#include "base/text.h"
#include "cli/command.h"
#include "ir/op.h"
#include "report/table.h"
#include "runtime/fused.h"
#include "temper/error.h"
#include "train/machine.h"
#include "train/memory.h"
#include "train/programs.h"

namespace temper::cli {
namespace {

Json describe_nodes(const Graph& graph, const Planning& planning, const Program* program, std::string& text) {
  Json list = Json::array();
  TextTable table({"node", "op", "fate", "into", "why"});
  for (const NodeFate& fate : planning.fates(program)) {
    const std::string name = planning.name_of(fate.node),
                      op(graph.nodes()[static_cast<size_t>(fate.node)].op->name);
    Json entry;
    entry["name"] = name;
    entry["op"] = op;
    entry["fate"] = to_string(fate.kind);
    entry["into"] = fate.into.empty() ? Json() : Json(fate.into);
    entry["why"] = fate.why;
    list.push_back(entry);
    table.row({name, op, std::string(to_string(fate.kind)), fate.into, fate.why});
  }
  text += table.text();
  return list;
}

// Which nodes share a launch, and what that spares.
Json describe_fusions(const Program& program, std::string& text) {
  Json list = Json::array();
  TextTable table({"fused", "last node", "nodes", "MB apart", "MB fused", "MB saved"});
  int64_t total = 0;
  const auto megabytes = [](int64_t bytes) { return short_number(static_cast<double>(bytes) * 1e-6); };
  for (const FusedLaunch& launch : fused_launches(program)) {
    const std::string name(Planning::plain_name(launch.name));
    Json entry;
    entry["kind"] = launch.kind;
    entry["node"] = name;
    entry["nodes"] = launch.nodes;
    entry["bytes_apart"] = launch.bytes_apart;
    entry["bytes_fused"] = launch.bytes_fused;
    entry["bytes_saved"] = launch.bytes_saved();
    list.push_back(entry);
    total += launch.bytes_saved();
    table.row({launch.kind, name, concat(launch.nodes), megabytes(launch.bytes_apart),
               megabytes(launch.bytes_fused), megabytes(launch.bytes_saved())});
  }
  if (!program.clusters.empty())  // else the device fuses by itself
    text += concat("\n", table.text(), "fusion saves ", byte_text(total), " of traffic a run\n");
  return list;
}

// Of one replica, without what a device's layouts add: all inputs, and those that become outputs.
std::pair<int64_t, int64_t> plain_bytes(const Program& program) {
  const Graph& graph = program.graph;
  int64_t all = 0, donated = 0;
  for (const Port& input : graph.inputs) all += byte_size(graph.type(input.value));
  for (const Donation& pair : graph.donations)
    donated += byte_size(graph.type(graph.inputs[static_cast<size_t>(pair.input)].value));
  return {all, donated};
}

// `limit`: what may be used, 0 if that is not known.
Json describe_use(const Program& program, int64_t limit, std::string& text) {
  const MemoryUse& use = program.memory;
  const auto [arguments, donated] = plain_bytes(program);
  const int64_t total = use.code + use.total();
  Json memory;
  memory["code"] = use.code;
  memory["arguments"] = use.arguments;
  memory["donated"] = use.donated;
  memory["arguments_unpadded"] = arguments;
  memory["donated_unpadded"] = donated;
  memory["outputs"] = use.outputs;
  memory["temporaries"] = use.temporaries;
  memory["live_at_once"] = use.floor;
  memory["total"] = total;
  memory["limit"] = limit > 0 ? Json(limit) : Json();
  memory["fits"] = limit > 0 ? Json(total <= limit) : Json();
  text += concat("memory: ", byte_text(use.arguments), " of arguments, of which ", byte_text(use.donated),
                 " become results; ", byte_text(use.outputs), " of other results, ",
                 byte_text(use.temporaries), " of temporaries, of which ", byte_text(use.floor),
                 " live at once, ", byte_text(use.code), " of code\nmemory: ", byte_text(total), " in all, ",
                 limit == 0       ? "the device's is not known"
                 : total <= limit ? concat("fits ", byte_text(limit))
                                  : concat("does not fit ", byte_text(limit)),
                 "\n");
  return memory;
}

void add_repeated(const Executable& executable, int64_t limit, int64_t left, Json& memory,
                  std::string& text) {
  const Json limited = describe_memory(executable, limit, left);
  for (const char* key : {"allowed", "needed", "arena_bytes", "arena_bytes_without", "repeated_launches",
                          "more_flops", "more_bytes", "text"})
    memory[key] = limited.at(key);
  TextTable table({"computed again", "kind", "MFLOP", "MB"});
  for (const LaunchProfile& launch : executable.launches())
    if (launch.again)
      table.row({std::string(Planning::plain_name(launch.name)), launch.kind,
                 short_number(static_cast<double>(launch.flops) * 1e-6),
                 short_number(static_cast<double>(launch.bytes) * 1e-6)});
  text += concat("\n", table.text(), "memory: ", limited.at("text").text(), "\n");
}

}  // namespace

std::string describe_plan(Device& device, const ModelOptions& options, const Planned& planned, Json& result) {
  const int64_t batch = planned.batch;
  const Graph graph = planned.at_batch(batch);
  const Planning planning(device, graph);
  const int64_t limit = options.memory_bytes();
  std::string text;
  result["device"] = device.name();
  if (planning.refused()) {
    result["nodes"] = describe_nodes(graph, planning, nullptr, text);
    for (const char* key : {"memory", "predicted_ms"}) result[key] = Json();
    return text + "the device refuses some nodes, so that nothing is compiled\n";
  }
  CompileOptions compile_options;
  compile_options.threads = choose_threads(options.threads);
  compile_options.sole_reader = graph.donations.empty();  // as whoever infers compiles it
  share_out(graph, planned.replicas, compile_options);
  std::unique_ptr<Executable> executable;
  const int64_t left = program_memory(limit, device, graph, compile_options);
  compile_within(limit, left, batch, [&](int64_t wanted, int64_t memory) {
    compile_options.memory_limit = memory;
    executable =
        compile(device, wanted == batch ? planning.numbered() : planned.at_batch(wanted), compile_options);
  });
  const Program& program = executable->program();
  if (!planned.code.empty()) write_file(planned.code, program.code);
  result["nodes"] = describe_nodes(graph, planning, &program, text);
  result["fusions"] = describe_fusions(program, text);
  const DeviceFacts facts = device.measure();
  result["memory"] = describe_use(program, limit > 0 ? limit : facts.target.memory_bytes, text);
  if (limit > 0) add_repeated(*executable, limit, left, result["memory"], text);
  const std::optional<double> seconds = predicted_seconds(*executable, facts);
  result["predicted_ms"] = seconds ? Json(*seconds * 1e3) : Json();
  return text +
         (seconds ? concat("predicted: ", short_number(*seconds * 1e3), " ms a run at the measured peaks\n")
                  : "predicted: not known, for the device's peaks are not measured\n");
}

}  // namespace temper::cli
