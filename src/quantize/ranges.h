#pragma once
// What values were seen, and the range in which integers stand for them.
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace temper {

// Floats counted by their upper 16 bits: any range at once, to a part in 128.
class Histogram {
 public:
  Histogram() : counts_(1 << 16) {}
  void add(std::span<const float> values);  // those that are not finite do not count
  void add(const Histogram& other);

  double low() const { return low_; }  // never above 0
  double high() const { return high_; }
  int64_t total() const { return total_; }
  void each(const std::function<void(double value, int64_t count)>& visit) const;  // ascending bits

 private:
  std::vector<int64_t> counts_;
  double low_ = 0, high_ = 0;
  int64_t total_ = 0;
};

struct Range {
  double low = 0, high = 0;  // with 0 between them
};

enum class Calibrator {
  min_max,     // all that was seen
  percentile,  // all but the outermost 1 in 10,000 on each side
  error,       // the share of it that gives the least squared error
};

Range choose_range(const Histogram& seen, Calibrator calibrator, int levels = 256);

}  // namespace temper
