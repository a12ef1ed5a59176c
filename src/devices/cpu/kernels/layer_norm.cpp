// Layer norm over rows of f32.
#include <algorithm>
#include <cmath>

#include "devices/cpu/kernels/parallel.h"
#include "devices/cpu/kernels/request.h"
#include "devices/cpu/kernels/rows.h"

namespace temper::cpu {

namespace {

struct Rows {
  int64_t count, size;
};

Rows rows_of(const NodeRequest& request) {
  const Shape shape = request.input(0).shape();
  Rows rows{1, 1};
  const int64_t axis = request.attributes().get<int64_t>("axis");
  for (int i = 0; i < shape.rank(); ++i) (i < axis ? rows.count : rows.size) *= shape.size(i);
  return rows;
}

// Sums of a few rows into those of all.
void move_sums(float* part, double* sum, int64_t n) {
  for (int64_t i = 0; i < n; ++i) sum[i] += static_cast<double>(part[i]);
  std::fill_n(part, n, 0.0f);
}

}  // namespace

std::unique_ptr<Kernel> make_layer_norm(const NodeRequest& request) {
  const Operand x = request.input(0), scale = request.input(1), bias = request.input(2),
                y = request.output(0), mean = request.output(1), rstd = request.output(2);
  const Rows rows = rows_of(request);
  const double epsilon = request.attributes().get<double>("epsilon");
  return function_kernel([=](void* const* buffers) {
    parallel_tasks(rows.count, rows.count * rows.size * 3, [&](int64_t row) {
      const RowFunctions& f = row_functions();
      const float* from = x.in<const float>(buffers) + row * rows.size;
      const auto n = static_cast<double>(rows.size);
      const auto m = static_cast<float>(f.sum(from, rows.size) / n);
      const auto r = static_cast<float>(1 / std::sqrt(f.sum_square(from, m, rows.size) / n + epsilon));
      if (y)
        f.normalise(from, m, r, scale.in<const float>(buffers), bias.in<const float>(buffers), rows.size,
                    y.in<float>(buffers) + row * rows.size);
      if (mean) mean.in<float>(buffers)[row] = m;
      if (rstd) rstd.in<float>(buffers)[row] = r;
    });
  });
}

std::unique_ptr<Kernel> make_layer_norm_grad(const NodeRequest& request) {
  const Operand x = request.input(0), scale = request.input(1), mean = request.input(2),
                rstd = request.input(3), dy = request.input(4), dx = request.output(0),
                dscale = request.output(1), dbias = request.output(2);
  const Rows rows = rows_of(request);
  constexpr int64_t kRowsPerChunk = 8, kMaxChunks = 16;
  const int64_t chunks = std::clamp<int64_t>(rows.count / kRowsPerChunk, 1, kMaxChunks);
  const int64_t wide = 2 * rows.size;  // sums of dscale, then of dbias
  const int scratch = request.scratch();
  return function_kernel(
      [=](void* const* buffers) {
        auto* sums = static_cast<double*>(buffers[scratch]);           // [chunks, wide]
        auto* parts = reinterpret_cast<float*>(sums + chunks * wide);  // [chunks, wide]: of a few rows
        std::fill_n(sums, chunks * wide, 0.0);
        std::fill_n(parts, chunks * wide, 0.0f);
        parallel_tasks(chunks, rows.count * rows.size * 4, [&](int64_t chunk) {
          const RowFunctions& f = row_functions();
          double* sum = sums + chunk * wide;
          float* part = parts + chunk * wide;
          const int64_t begin = rows.count * chunk / chunks, end = rows.count * (chunk + 1) / chunks;
          for (int64_t row = begin; row < end; ++row) {
            const int64_t at = row * rows.size;
            const float *from = x.in<const float>(buffers) + at, *d = dy.in<const float>(buffers) + at;
            const float m = mean.in<const float>(buffers)[row], r = rstd.in<const float>(buffers)[row];
            double sum_g = 0, sum_gz = 0;
            f.norm_sums(from, d, scale.in<const float>(buffers), m, r, rows.size, &sum_g, &sum_gz,
                        dscale ? part : nullptr, dbias ? part + rows.size : nullptr);
            if ((row - begin) % kRowsPerChunk == kRowsPerChunk - 1 || row == end - 1)
              move_sums(part, sum, wide);
            const auto n = static_cast<double>(rows.size);
            if (dx)
              f.norm_grad(from, d, scale.in<const float>(buffers), m, r, static_cast<float>(sum_g / n),
                          static_cast<float>(sum_gz / n), rows.size, dx.in<float>(buffers) + at);
          }
        });
        for (int64_t k = 0; k < 2; ++k) {
          float* out = (k == 0 ? dscale : dbias).in<float>(buffers);
          for (int64_t i = 0; out && i < rows.size; ++i) {
            double total = 0;
            for (int64_t chunk = 0; chunk < chunks; ++chunk) total += sums[chunk * wide + k * rows.size + i];
            out[i] = static_cast<float>(total);
          }
        }
      },
      chunks * wide * static_cast<int64_t>(sizeof(double) + sizeof(float)));
}

}  // namespace temper::cpu
