#include "place/cost_model.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "place/nonnegative.h"

namespace temper {
namespace {

constexpr double kDamping = 1e-6;
constexpr double kNear = 0.5;     // how far apart two works are that are still much alike
constexpr double kUnlike = 0.03;  // what stands against carrying over: the weight of "nothing is left"
constexpr double kMost = 3;       // what is carried over: a factor of 20, as a logarithm
// How much a step along each number of a contraction's place makes it unlike others; of other work; and of
// the time of its bytes, as a logarithm.
constexpr std::array<double, 8> kContraction = {0.5, 0.5, 0.5, 0.7, 1.5, 0.25, 0.12, 0.12};
constexpr double kOther = 0.5, kCold = 0.4;

double squared_distance(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return 1e9;
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

}  // namespace

CostModel::CostModel(const Calibration& calibration) : curve_(calibration.byte_seconds) {
  for (const Observation& seen : calibration.observations)
    for (const Work& work : seen.works)
      if (kinds_.try_emplace(work.kind, Kind{coefficients_.size(), {}}).second)
        coefficients_.resize(coefficients_.size() + kFeatures);
  std::vector<std::vector<double>> rows;
  for (const Observation& seen : calibration.observations) {
    std::vector<double>& row = rows.emplace_back(coefficients_.size());
    for (const Work& work : seen.works) {
      std::array<double, kFeatures> own{};
      features(work, own.data());
      for (size_t i = 0; i < kFeatures; ++i)
        row[kinds_.at(work.kind).first + i] += work.rounds * own[i] / seen.seconds;
    }
  }
  coefficients_ = least_squares(rows, std::vector<double>(rows.size(), 1), kDamping);
  for (const Observation& seen : calibration.observations) {
    double total = 0;
    for (const Work& work : seen.works) total += work.rounds * fitted(work);
    if (total <= 0) continue;
    const double residual = std::clamp(std::log(seen.seconds / total), -kMost, kMost);
    for (const Work& work : seen.works) {
      const double share = work.rounds * fitted(work) / total;
      kinds_.at(work.kind).samples.push_back({place_of(work), share, residual});
    }
  }
  for (const Observation& seen : calibration.observations)
    ratios_.push_back(seen.seconds / std::max(1e-12, seconds(seen.works)));
}

// By the logarithm of the distance, between what was measured.
double CostModel::byte_seconds(double distance) const {
  if (curve_.empty()) return 0;
  const auto above = std::ranges::lower_bound(curve_, distance, {}, &std::pair<double, double>::first);
  if (above == curve_.begin()) return curve_.front().second;
  if (above == curve_.end()) return curve_.back().second;
  const auto below = above - 1;
  const double t = std::log(distance / below->first) / std::log(above->first / below->first);
  return below->second + t * (above->second - below->second);
}

void CostModel::features(const Work& work, double* out) const {
  out[0] = 1;
  for (const Traffic& traffic : work.traffic) out[1] += traffic.bytes * byte_seconds(traffic.distance);
  out[2] = work.flops;
  out[3] = work.functions;
}

// Scaled, so that what is much alike is less than kNear apart.
std::vector<double> CostModel::place_of(const Work& work) const {
  std::vector<double> place = work.place;
  for (size_t i = 0; i < place.size(); ++i)
    place[i] *= place.size() == kContraction.size() ? kContraction[i] : kOther;
  std::array<double, kFeatures> own{};
  features(work, own.data());
  const double bytes = bytes_of(work);
  place.push_back(bytes > 0 && own[1] > 0 ? kCold * std::log2(own[1] / bytes) : 0);
  return place;
}

// A kind that was not seen is taken for the one that is most like it.
const CostModel::Kind* CostModel::kind_of(const Work& work) const {
  const auto find = [&](std::string_view name) -> const Kind* {
    const auto found = kinds_.find(name);
    return found == kinds_.end() ? nullptr : &found->second;
  };
  if (const Kind* own = find(work.kind)) return own;
  if (!is_contraction(work)) return find("map");
  for (const std::string_view like : {"convolution", "dot"})
    if (const Kind* found = find(like)) return found;
  return find("map");
}

double CostModel::fitted(const Work& work) const {
  const Kind* const kind = kind_of(work);
  if (!kind) return 0;
  std::array<double, kFeatures> own{};
  features(work, own.data());
  double seconds = 0;
  for (size_t i = 0; i < kFeatures; ++i) seconds += coefficients_[kind->first + i] * own[i];
  return seconds;
}

double CostModel::seconds(const Work& work) const {
  const Kind* const kind = kind_of(work);
  if (!kind) return 0;
  const std::vector<double> place = place_of(work);
  double weights = kUnlike, sum = 0;
  for (const Kind::Sample& sample : kind->samples) {
    const double weight =
        sample.share * std::exp(-squared_distance(sample.place, place) / (2 * kNear * kNear));
    weights += weight;
    sum += weight * sample.residual;
  }
  return work.rounds * fitted(work) * std::exp(sum / weights);
}

double CostModel::seconds(std::span<const Work> works) const {
  double total = 0;
  for (const Work& work : works) total += seconds(work);
  return total;
}

std::vector<double> CostModel::ratios() const { return ratios_; }

}  // namespace temper
