#pragma once
// The text form of a graph: `temper.graph 1`, one node a line, ops as name@version. Parsing gives the same
// graph.
#include <string>
#include <string_view>

#include "ir/graph.h"

namespace temper {

struct PrintOptions {
  int64_t elide_constants_over = -1;  // elements; -1 prints everything (needed to parse back)
};

std::string print(const Graph& graph, const PrintOptions& options = {});

// Error corrupt with line and column. `find` looks ops up by name: ops/registry.h has a form without it.
using FindOp = const Op* (*)(std::string_view name);
Graph parse_graph(std::string_view text, FindOp find);

}  // namespace temper
