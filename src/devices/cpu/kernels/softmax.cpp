// Softmax, its logarithm and cross-entropy over rows of f32.
#include <algorithm>
#include <cmath>

#include "devices/cpu/kernels/parallel.h"
#include "devices/cpu/kernels/request.h"
#include "devices/cpu/kernels/rows.h"

namespace temper::cpu {

namespace {
constexpr int64_t kExpWork = 8;  // an exponential in elements touched
}

std::unique_ptr<Kernel> make_softmax(const NodeRequest& request) {
  const Operand x = request.input(0), y = request.output(0);
  const int64_t n = x.shape().size(x.shape().rank() - 1), rows = n == 0 ? 0 : x.elements() / n;
  const bool logarithm = request.node().op->name == "log_softmax";
  return function_kernel([=](void* const* buffers) {
    parallel_tasks(rows, rows * n * kExpWork, [&](int64_t row) {
      const RowFunctions& f = row_functions();
      const float* from = x.in<const float>(buffers) + row * n;
      float* to = y.in<float>(buffers) + row * n;
      const float shift = f.max(from, n);
      if (logarithm) {
        const auto log_sum = static_cast<float>(std::log(f.sum_exp(from, shift, n, nullptr)));
        // two steps, for shift and log_sum may differ much in size
        f.affine(from, 1, -shift, n, to);
        f.affine(to, 1, -log_sum, n, to);
      } else {
        const double sum = f.sum_exp(from, shift, n, to);
        f.affine(to, static_cast<float>(1 / sum), 0, n, to);
      }
    });
  });
}

std::unique_ptr<Kernel> make_softmax_grad(const NodeRequest& request) {
  const Operand y = request.input(0), dy = request.input(1), dx = request.output(0);
  const int64_t n = y.shape().size(y.shape().rank() - 1), rows = n == 0 ? 0 : y.elements() / n;
  return function_kernel([=](void* const* buffers) {
    parallel_tasks(rows, rows * n * 2, [&](int64_t row) {
      const RowFunctions& f = row_functions();
      const float *from = y.in<const float>(buffers) + row * n, *d = dy.in<const float>(buffers) + row * n;
      f.softmax_grad(from, d, static_cast<float>(f.sum_product(from, d, n)), n,
                     dx.in<float>(buffers) + row * n);
    });
  });
}

// loss = (1 - s) (log sum - x[label]) + s (log sum - mean x), x less its maximum; 0 where the label is no
// class
std::unique_ptr<Kernel> make_cross_entropy(const NodeRequest& request) {
  const Operand logits = request.input(0), labels = request.input(1), loss = request.output(0);
  const int64_t rows = logits.shape().size(0), n = logits.shape().size(1);
  const double smoothing = request.attributes().get<double>("smoothing");
  return function_kernel([=](void* const* buffers) {
    parallel_tasks(rows, rows * n * kExpWork, [&](int64_t row) {
      const RowFunctions& f = row_functions();
      const float* x = logits.in<const float>(buffers) + row * n;
      const int64_t label = labels.in<const int64_t>(buffers)[row];
      float& y = loss.in<float>(buffers)[row];
      if (label < 0 || label >= n) {
        y = 0;
        return;
      }
      const float shift = f.max(x, n);
      const double log_sum = std::log(f.sum_exp(x, shift, n, nullptr));
      double result = log_sum - (static_cast<double>(x[label]) - static_cast<double>(shift));
      if (smoothing > 0) {
        const double even = log_sum - (f.sum(x, n) / static_cast<double>(n) - static_cast<double>(shift));
        result = (1 - smoothing) * result + smoothing * even;
      }
      y = static_cast<float>(result);
    });
  });
}

// (softmax - target) dloss
std::unique_ptr<Kernel> make_cross_entropy_grad(const NodeRequest& request) {
  const Operand logits = request.input(0), labels = request.input(1), dloss = request.input(2),
                grad = request.output(0);
  const int64_t rows = logits.shape().size(0), n = logits.shape().size(1);
  const double smoothing = request.attributes().get<double>("smoothing");
  return function_kernel([=](void* const* buffers) {
    parallel_tasks(rows, rows * n * kExpWork, [&](int64_t row) {
      const RowFunctions& f = row_functions();
      const float* x = logits.in<const float>(buffers) + row * n;
      const int64_t label = labels.in<const int64_t>(buffers)[row];
      float* y = grad.in<float>(buffers) + row * n;
      if (label < 0 || label >= n) {
        std::fill_n(y, n, 0.0f);
        return;
      }
      const float weight = dloss.in<const float>(buffers)[row];
      const double sum = f.sum_exp(x, f.max(x, n), n, y);
      const auto at_label = static_cast<float>(
          (static_cast<double>(y[label]) / sum - (1 - smoothing) - smoothing / static_cast<double>(n)) *
          static_cast<double>(weight));
      f.affine(y, static_cast<float>(static_cast<double>(weight) / sum),
               static_cast<float>(-smoothing / static_cast<double>(n) * static_cast<double>(weight)), n, y);
      y[label] = at_label;
    });
  });
}

}  // namespace temper::cpu
