#pragma once
// Work cut into a fixed number of parts, each done by one thread: the same bits whatever the size of the
// team.
#include "devices/cpu/onednn.h"

namespace temper::cpu {

inline constexpr int64_t kParts = 4;
inline int64_t batch_parts(int64_t batch) { return std::min(kParts, batch); }

// result[i] = parts[i] + parts[stride + i] + ..., `count` of them, in that order
void sum_parts(const float* parts, int64_t stride, size_t count, int64_t elements, float* result);

// Steps that every thread works on, then parts that threads take one at a time, then perhaps a sum over the
// parts, then the remaining steps.
class PartsKernel : public Kernel {
 public:
  struct Order {
    size_t before = 0, parts = 1, steps_per_part = 1;
  };
  // result[i] = parts[0][i] + parts[1][i] + ..., f32; no sum if there are no elements
  struct Sum {
    int64_t stride = 0, elements = 0;  // the parts follow each other from the start of parts_buffer
    int parts_buffer = 0, buffer = 0;
  };
  PartsKernel(std::vector<Step> steps, Order order, Sum sum, int64_t scratch_bytes)
      : steps_(std::move(steps)), order_(order), sum_(sum), scratch_bytes_(scratch_bytes) {}

  void run(void* const* buffers, KernelState* state) const override;
  int64_t scratch_bytes() const override { return scratch_bytes_; }
  std::unique_ptr<KernelState> make_state() const override { return std::make_unique<BoundSteps>(steps_); }

 private:
  std::vector<Step> steps_;
  Order order_;
  Sum sum_;
  int64_t scratch_bytes_;
};

}  // namespace temper::cpu
