#pragma once
#include <cstddef>
#include <vector>

namespace temper {

// The x >= 0 with the least |A x - b|^2 + damping |D x|^2, D making columns alike; rows: A's, each as long as
// x.
std::vector<double> least_squares(const std::vector<std::vector<double>>& rows, const std::vector<double>& b,
                                  double damping);

}  // namespace temper
