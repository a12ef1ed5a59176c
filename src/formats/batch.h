#pragma once
// Whether a graph treats the samples of a batch alone.
#include <string>
#include <string_view>

#include "ir/graph.h"

namespace temper {

// `symbol` counts samples along one axis of the inputs. Empty if no node lets one sample reach another's
// results; else what does, and why: "fc (dot_general, node 7): ...". Only what outputs need is looked at.
std::string mixes_samples(const Graph& graph, std::string_view symbol);

}  // namespace temper
