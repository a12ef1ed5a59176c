#pragma once
// Which nodes come first, and whether every name has exactly one source.
#include <set>
#include <string>
#include <vector>

#include "formats/onnx/file.h"

namespace temper::onnx {

// Names that a node reads, those of the graphs inside it included, without what these define themselves.
std::set<std::string> reads(const NodeDef& node);

// Positions of `nodes` so that each comes after what it reads; as they stand wherever possible. Error corrupt
// names a node in a cycle, a name that nothing produces, or one produced twice. `outside`: names that exist
// already.
std::vector<int> ordered(const std::vector<NodeDef>& nodes, const std::set<std::string>& outside,
                         const std::string& path);

const std::string& label(const NodeDef& node);         // its name, else that of its first output
std::string describe(const NodeDef& node, int index);  // "node 'conv1' (Conv, node 3)"

}  // namespace temper::onnx
