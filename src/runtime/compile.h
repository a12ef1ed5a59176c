#pragma once
// From any static graph to an Executable: fold, cse, dce, decompose what the target does not claim, legalise,
// compile.
#include "runtime/device.h"

namespace temper {

// Error unsupported lists every node the target refuses, with its reason.
std::shared_ptr<const Program> compile(const Target& target, const TargetFacts& facts, const Graph& graph,
                                       const CompileOptions& options = {});
std::unique_ptr<Executable> compile(Device& device, const Graph& graph, const CompileOptions& options = {});

// What compile() gives the target: all that it does not claim decomposed. Nodes that it refuses are left.
Graph legal_graph(const Target& target, const TargetFacts& facts, const Graph& graph);

// Compile, upload, run once, download: tests, tools, one-off calls. Inputs in the graph's order, host
// tensors.
std::vector<Tensor> run_once(Device& device, const Graph& graph, std::vector<Tensor> inputs,
                             const CompileOptions& options = {});

}  // namespace temper
