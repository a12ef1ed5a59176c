#pragma once
// Where two devices part: the first node of a graph whose values differ.
#include <map>
#include <optional>
#include <string>

#include "runtime/device.h"
#include "train/events.h"

namespace temper {

struct FirstDifference {
  std::string node;       // its name, else its op and number
  double difference = 0;  // the largest, over the largest value of the node on the reference
};

// The first node of floats whose values on the two devices are further apart than `bound` (relative as
// above), while those of its operands are not: found by halving the graph. None if the outputs are within the
// bound. graph: static; arguments: by input, host tensors. Reports progress as phase "bisect".
std::optional<FirstDifference> first_difference(const Graph& graph,
                                                const std::map<std::string, Tensor>& arguments,
                                                Device& reference, Device& device, double bound,
                                                const CompileOptions& options, TrainEvents& events);

}  // namespace temper
