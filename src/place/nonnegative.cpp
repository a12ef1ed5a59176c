#include "place/nonnegative.h"

#include <algorithm>
#include <cmath>

namespace temper {
namespace {

using Matrix = std::vector<std::vector<double>>;

// a x = b by Cholesky's method, of the rows and columns `which`; `a` is symmetric and positive there.
std::vector<double> solve(const Matrix& a, const std::vector<double>& b, const std::vector<size_t>& which) {
  const size_t size = which.size();
  Matrix lower(size, std::vector<double>(size));
  std::vector<double> x(size);
  for (size_t i = 0; i < size; ++i) {
    for (size_t j = 0; j <= i; ++j) {
      double rest = a[which[i]][which[j]];
      for (size_t k = 0; k < j; ++k) rest -= lower[i][k] * lower[j][k];
      lower[i][j] = i == j ? std::sqrt(std::max(rest, 1e-300)) : rest / lower[j][j];
    }
    x[i] = b[which[i]];
    for (size_t k = 0; k < i; ++k) x[i] -= lower[i][k] * x[k];
    x[i] /= lower[i][i];
  }
  for (size_t i = size; i-- > 0;) {
    for (size_t k = i + 1; k < size; ++k) x[i] -= lower[k][i] * x[k];
    x[i] /= lower[i][i];
  }
  return x;
}

}  // namespace

// Lawson and Hanson, Solving Least Squares Problems (1974), chapter 23, on the normal equations of columns of
// length 1: unknowns become free one by one, the one that promises most first; one that would be negative is
// held at 0 again.
std::vector<double> least_squares(const Matrix& rows, const std::vector<double>& b, double damping) {
  constexpr double kNothing = 1e-10;
  const size_t width = rows.empty() ? 0 : rows.front().size();
  std::vector<double> scale(width), x(width), right(width);
  Matrix normal(width, std::vector<double>(width));
  for (const auto& row : rows)
    for (size_t i = 0; i < width; ++i) scale[i] += row[i] * row[i];
  for (double& value : scale) value = value > 0 ? 1 / std::sqrt(value) : 0;
  for (size_t r = 0; r < rows.size(); ++r)
    for (size_t i = 0; i < width; ++i) {
      if (rows[r][i] == 0) continue;
      right[i] += rows[r][i] * scale[i] * b[r];
      for (size_t j = 0; j < width; ++j) normal[i][j] += rows[r][i] * scale[i] * rows[r][j] * scale[j];
    }
  for (size_t i = 0; i < width; ++i) normal[i][i] += damping;
  std::vector<size_t> free;
  for (size_t round = 0; round < 3 * width; ++round) {
    size_t next = width;
    double most = kNothing;
    for (size_t i = 0; i < width; ++i) {
      if (scale[i] == 0 || std::ranges::count(free, i) > 0) continue;
      double promise = right[i];
      for (const size_t j : free) promise -= normal[i][j] * x[j];
      if (promise > most) most = promise, next = i;
    }
    if (next == width) break;
    free.push_back(next);
    for (;;) {
      const std::vector<double> wanted = solve(normal, right, free);
      double share = 1;  // of the way there that none becomes negative
      for (size_t k = 0; k < free.size(); ++k)
        if (wanted[k] <= 0) share = std::min(share, x[free[k]] / std::max(x[free[k]] - wanted[k], 1e-300));
      for (size_t k = 0; k < free.size(); ++k) x[free[k]] += share * (wanted[k] - x[free[k]]);
      if (share >= 1) break;
      for (const size_t i : free)
        if (x[i] <= kNothing) x[i] = 0;
      std::erase_if(free, [&](size_t i) { return x[i] == 0; });
    }
  }
  for (size_t i = 0; i < width; ++i) x[i] = std::max(0.0, x[i]) * scale[i];
  return x;
}

}  // namespace temper
