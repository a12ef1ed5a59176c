#pragma once
// A graph made for inference, as it computes while training.
#include <functional>
#include <string>
#include <vector>

#include "ir/builder.h"

namespace temper::nn {

struct TrainingMode {
  Graph graph;  // inputs as before, then "key" (u32[2]) if something draws random numbers
  std::vector<std::string>
      statistics;  // graph inputs that batch norms update; outputs of these names are appended
};

// Part of a batch, as one of several replicas that run the graph at once.
struct Replicas {
  int64_t count = 1;
  bool sync_norm = false;  // batch norms take the statistics of the whole batch, not of the replica's part
};

// Batch norms for which `trains` is true use the statistics of the batch and update the running ones
// (variance unbiased: times n / (n - 1)), each one op with the sum and the clamp that alone read it; the
// others stay as they are. dropout_infer drops. `graph` is static. Of several replicas each has an input
// `replica` (u64[1], its number) where something drops: a mask is the part that it would have of the whole
// batch. Running statistics are the means over the replicas.
TrainingMode training_mode(const Graph& graph, const std::function<bool(const Graph&, const Node&)>& trains,
                           const Replicas& replicas = {});

}  // namespace temper::nn
