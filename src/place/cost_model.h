#pragma once
// How long a program takes on a device, from its work and what was measured there.
#include <map>
#include <span>

#include "place/calibration.h"

namespace temper {

// Each kind of work has seconds for a launch, for a byte, for an operation and for an element that goes
// through a function, none below 0, that together come closest to the calibration by ratio. What is left of a
// ratio is carried over to work that is alike. A byte's time goes by how long ago it was touched.
class CostModel {
 public:
  explicit CostModel(const Calibration& calibration);

  double seconds(const Work& work) const;
  double seconds(std::span<const Work> works) const;
  // What is left of the calibration's own observations: seconds measured / predicted, in their order.
  std::vector<double> ratios() const;

 private:
  static constexpr size_t kFeatures = 4;
  struct Kind {
    size_t first;  // of its features in coefficients_
    struct Sample {
      std::vector<double> place;
      double share, residual;  // of the observation; log of measured / fitted
    };
    std::vector<Sample> samples;
  };
  const Kind* kind_of(const Work& work) const;
  void features(const Work& work, double* out) const;
  std::vector<double> place_of(const Work& work) const;
  double fitted(const Work& work) const;  // without what is carried over
  double byte_seconds(double distance) const;

  const std::vector<std::pair<double, double>> curve_;
  std::map<std::string, Kind, std::less<>> kinds_;
  std::vector<double> coefficients_;
  std::vector<double> ratios_;
};

}  // namespace temper
