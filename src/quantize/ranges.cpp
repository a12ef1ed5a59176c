#include "quantize/ranges.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace temper {
namespace {

struct Counted {
  double value;
  double count;
};

// Values that round to 0 in every range tried add the same error to each: they are left out.
std::vector<Counted> large_values(const Histogram& seen) {
  const double least = std::max(-seen.low(), seen.high()) / 1024;
  std::vector<Counted> values;
  seen.each([&](double value, int64_t count) {
    if (std::abs(value) >= least) values.push_back({value, static_cast<double>(count)});
  });
  return values;
}

double squared_error(const std::vector<Counted>& values, const Range& range, int levels) {
  const double scale = (range.high - range.low) / (levels - 1), zero = std::nearbyint(-range.low / scale);
  double sum = 0;
  for (const auto& [value, count] : values) {
    const double q = std::clamp(std::nearbyint(value / scale) + zero, 0.0, static_cast<double>(levels - 1));
    const double error = (q - zero) * scale - value;
    sum += count * error * error;
  }
  return sum;
}

Range least_error(const Histogram& seen, int levels) {
  const std::vector<Counted> values = large_values(seen);
  Range best{seen.low(), seen.high()};
  double least = squared_error(values, best, levels);
  for (int percent = 97; percent >= 25; percent -= 3) {
    const Range range{seen.low() * percent / 100, seen.high() * percent / 100};
    const double error = squared_error(values, range, levels);
    if (error < least) best = range, least = error;
  }
  return best;
}

Range without_outermost(const Histogram& seen) {
  const double most = static_cast<double>(seen.total()) / 10000;
  std::vector<Counted> values;
  seen.each([&](double value, int64_t count) { values.push_back({value, static_cast<double>(count)}); });
  std::ranges::sort(values, {}, &Counted::value);
  // The first value past so many of them.
  const auto reached = [&](const auto& begin, const auto& end) {
    double count = 0;
    return std::find_if(begin, end, [&](const Counted& each) { return (count += each.count) > most; });
  };
  const auto low = reached(values.begin(), values.end());
  const auto high = reached(values.rbegin(), values.rend());
  const Range range{low == values.end() ? 0 : std::min(0.0, low->value),
                    high == values.rend() ? 0 : std::max(0.0, high->value)};
  return {std::max(range.low, seen.low()), std::min(range.high, seen.high())};
}

}  // namespace

void Histogram::add(std::span<const float> values) {
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    ++counts_[std::bit_cast<uint32_t>(value) >> 16];
    low_ = std::min(low_, static_cast<double>(value));
    high_ = std::max(high_, static_cast<double>(value));
    ++total_;
  }
}

void Histogram::add(const Histogram& other) {
  for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  low_ = std::min(low_, other.low_);
  high_ = std::max(high_, other.high_);
  total_ += other.total_;
}

void Histogram::each(const std::function<void(double value, int64_t count)>& visit) const {
  for (size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] == 0) continue;
    const auto middle = static_cast<uint32_t>(i << 16 | 0x8000);  // of those that share the bits
    visit(std::clamp(static_cast<double>(std::bit_cast<float>(middle)), low_, high_), counts_[i]);
  }
}

Range choose_range(const Histogram& seen, Calibrator calibrator, int levels) {
  if (seen.low() == seen.high()) return {};
  switch (calibrator) {
    case Calibrator::min_max:
      break;
    case Calibrator::percentile:
      return without_outermost(seen);
    case Calibrator::error:
      return least_error(seen, levels);
  }
  return {seen.low(), seen.high()};
}

}  // namespace temper
