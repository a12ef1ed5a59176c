#pragma once
// What becomes of each node on a device, for `inspect --plan`.
#include <optional>

#include "runtime/compile.h"

namespace temper {

struct NodeFate {
  enum Kind { kernel, fused, decomposed, refused } kind = kernel;
  int node = 0;
  std::string into;  // fused: the node whose launch computes it; decomposed: the ops that are run for it
  std::string why;   // for people
};
std::string_view to_string(NodeFate::Kind kind);

// Compiles a graph with each node followed by its number, and reads from what became of it where each went.
class Planning {
 public:
  Planning(Device& device, const Graph& graph);  // `graph`, static, must outlive this

  bool refused() const;  // some node; nothing is to be compiled then
  const Graph& numbered() const { return numbered_; }
  // One a node, in order. null: not compiled, so that nothing is known of fusion.
  std::vector<NodeFate> fates(const Program* program) const;
  // "conv1", or "%17" for a node without a name.
  std::string name_of(int node) const;
  // The name of a launch or node of what was compiled from numbered(), without the number.
  static std::string_view plain_name(std::string_view numbered);

 private:
  const Graph& graph_;
  Graph numbered_;
  std::vector<NodeFate> claimed_;
};

// How long a run takes if each launch is held up by arithmetic or by memory alone, at the peaks measured for
// f32; none where these are not known. What a device fuses by itself counts as one launch, which writes and
// reads its temporaries once.
std::optional<double> predicted_seconds(const Executable& executable, const DeviceFacts& facts);

}  // namespace temper
