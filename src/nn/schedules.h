#pragma once
// The learning rate over the steps of a run.
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace temper::nn {

struct Schedule {
  enum Kind { constant, step, cosine, plateau } kind = constant;
  double lr = 1e-3;
  int64_t warmup = 0;           // steps in which the rate rises linearly to lr; the first is lr / warmup
  int64_t total_steps = 0;      // cosine: the rate ends at 0 after these
  int64_t steps_per_epoch = 1;  // step and plateau count epochs
  int64_t epochs = 0;   // step: between two drops; plateau: epochs without a better value before a drop
  double factor = 0.1;  // of a drop
};

// "constant", "step[:EPOCHS[:FACTOR]]" (default: a third of all epochs, 0.1), "cosine",
// "plateau[:EPOCHS[:FACTOR]]" (default: 3, 0.1). Error invalid says what is wrong.
Schedule parse_schedule(std::string_view text, int64_t epochs);

// Of optimizer step 0, 1, ...; `drops`: how often a plateau has dropped it.
double learning_rate(const Schedule& schedule, int64_t step, int64_t drops);

// Watches a value that should fall, an epoch at a time. Plain data: part of a checkpoint.
struct Plateau {
  double best = std::numeric_limits<double>::infinity();
  int64_t waited = 0, drops = 0;
  void observe(const Schedule& schedule, double value);
};

}  // namespace temper::nn
