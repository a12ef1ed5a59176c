#pragma once
// What is known about a kind of hardware without owning it: plain data and pure functions.
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"
#include "temper/error.h"

namespace temper {

// From a live Device, or by name ("avx512", "sm_90").
struct TargetFacts {
  std::string name;                                       // "cpu"
  std::map<std::string, std::string, std::less<>> facts;  // isa, library versions: printed by `devices`
  int threads = 1;
  int64_t memory_bytes = 0;
};

struct Claim {
  enum Kind { kernel, decompose, refuse } kind = kernel;
  std::string why;  // for people: "oneDNN convolution", "no kernel for i4"
};

// Nodes that one kernel computes. The last is the root; values of the others stay inside unless listed as
// outputs.
struct Cluster {
  std::vector<int> nodes;          // ascending
  std::string kind;                // "conv2d+relu", "map", "map+reduce"
  std::vector<int> repeated = {};  // of nodes, ascending: also in another cluster, and no output of this one
};

struct CompileOptions {
  int threads = 0;            // 0: the device's own choice
  int64_t memory_limit = 0;   // bytes of arguments, results and temporaries together; 0: none
  bool deterministic = true;  // same bits for any number of threads
  // Nobody else reads what the device holds of the arguments, so they may lie as only this program can read
  // them. No donated ones then.
  bool sole_reader = false;
  // How many replicas run the program at once. Of an input or output named in `shared`, the graph sees the
  // part that one replica has: axis 0 is shared out among them in order. All others are the same on each.
  int replicas = 1;
  std::vector<std::string> shared = {};
  friend bool operator==(const CompileOptions&, const CompileOptions&) = default;
};

struct Argument {
  std::string name;
  Type type;           // of the whole, if it is shared among replicas
  int64_t layout = 0;  // 0: row-major; else one of the target's own
};

// Of one replica. Outputs: those that do not lie in donated arguments.
struct MemoryUse {
  int64_t code = 0, arguments = 0, outputs = 0, temporaries = 0;  // bytes
  int64_t donated = 0;                                            // of the arguments: what becomes outputs
  int64_t floor = 0;              // of the temporaries: what lives at the busiest moment
  int64_t plain_temporaries = 0;  // what they would be if nothing were computed again to save memory
  int64_t total() const { return arguments + outputs + temporaries; }
  friend bool operator==(const MemoryUse&, const MemoryUse&) = default;
};

// A memory limit that cannot be met.
class MemoryRefused : public Error {
 public:
  // least: the limit that can be; largest: the tensors that take most of it, for people.
  MemoryRefused(int64_t limit, int64_t least, const std::string& largest);
  int64_t least() const { return least_; }
  const std::string& largest() const { return largest_; }

 private:
  int64_t least_;
  std::string largest_;
};

// What a Target compiles a graph to. Serialisable: everything is plain data.
struct Program {
  std::string target;
  Graph graph;  // legal: only what the target has kernels for
  std::vector<Cluster> clusters;
  std::vector<Argument> inputs, outputs;
  std::vector<Donation> donations;
  MemoryUse memory;
  CompileOptions options;
  std::string code;  // the target's own bytes; may be empty
};

using Pass = Graph (*)(const Graph&);

struct Target {  // no hardware needed
  std::string_view name;
  Claim (*claim)(const TargetFacts&, const Graph&, const Node&) = nullptr;
  std::vector<Cluster> (*cluster)(const TargetFacts&, const Graph&) = nullptr;  // optional
  std::vector<Pass> legalize = {};                                              // optional
  // `graph` is static and holds only nodes claimed as kernels.
  Program (*compile)(const TargetFacts&, const Graph& graph, const CompileOptions&) = nullptr;
};

}  // namespace temper
