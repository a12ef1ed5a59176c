// Batch norm of f32 or bf16 pictures with f32 parameters: sums per channel in f64, cut into chunks that
// depend on the shape alone, then one map.
#include <algorithm>
#include <cmath>

#include "devices/cpu/kernels/channels.h"
#include "devices/cpu/kernels/parallel.h"
#include "devices/cpu/kernels/request.h"

namespace temper::cpu {

namespace {

// How channels lie: planes [outer, channels, inner], or, where inner is 1, rows of channels. Short rows are
// taken several at a time, as one row whose channels repeat.
struct Picture {
  int64_t outer = 1, channels = 1, inner = 1;
  int64_t repeat = 1;  // rows in one
  int64_t chunks = 1;  // of the sums

  bool rows() const { return inner == 1; }
  int64_t width() const { return channels * repeat; }  // of a repeated row
  int64_t elements() const { return outer * channels * inner; }
  double count() const { return static_cast<double>(outer * inner); }  // elements of a channel
};

Picture picture(const Operand& x) {
  constexpr int64_t kWide = 256, kChunkElements = 32768, kMaxChunks = 16;
  Picture p;
  const Ints along = x.along();
  p.channels = x.shape().size(1);
  // channels are innermost in memory, or only the axes before them are outside
  const bool last = along[1] == 1;
  for (int i = 0; i < x.shape().rank(); ++i) {
    if (i == 1) continue;
    (last || along[static_cast<size_t>(i)] > along[1] ? p.outer : p.inner) *= x.shape().size(i);
  }
  if (p.rows() && p.channels > 0)
    p.repeat = std::clamp<int64_t>(kWide / p.channels, 1, std::max<int64_t>(p.outer, 1));
  const int64_t most = std::min(kMaxChunks, p.rows() ? p.outer / p.repeat : p.outer);
  p.chunks = std::clamp<int64_t>(p.elements() / kChunkElements, 1, std::max<int64_t>(most, 1));
  return p;
}

// Doubles of scratch: two sums per chunk and channel (repeated), then four floats per repeated channel.
int64_t scratch_bytes(const Picture& p) { return p.width() * (2 * p.chunks * 8 + 4 * 4); }

struct Scratch {
  double* sums;  // [chunks, 2, width]
  float *centre, *factor, *slope, *shift;
  Scratch(const Picture& p, void* memory) : sums(static_cast<double*>(memory)) {
    centre = reinterpret_cast<float*>(sums + 2 * p.chunks * p.width());
    factor = centre + p.width();
    slope = factor + p.width();
    shift = slope + p.width();
  }
};

// The sums of one chunk of rows.
template <class T>
void sum_chunk_of_rows(const Picture& p, const T* x, const T* dy, const Scratch& s, int64_t chunk) {
  constexpr int64_t kBlockElements = 8192;  // stays in the first-level cache while strips pass over it
  double *first = s.sums + 2 * chunk * p.width(), *second = first + p.width();
  std::fill_n(first, 2 * p.width(), 0.0);
  const int64_t rows = p.outer / p.repeat;
  const int64_t begin = rows * chunk / p.chunks, end = rows * (chunk + 1) / p.chunks;
  const int64_t block = std::max<int64_t>(1, kBlockElements / p.width());
  const auto add = [&](int64_t at, int64_t count, int64_t columns) {
    channel_functions<T>().sum_rows(x + at, dy ? dy + at : nullptr, s.centre, count, columns, p.width(),
                                    first, second);
  };
  for (int64_t row = begin; row < end; row += block)
    add(row * p.width(), std::min(block, end - row), p.width());
  if (chunk == p.chunks - 1 && p.outer % p.repeat)  // the rows that do not fill a repeated one
    add(rows * p.width(), 1, p.outer % p.repeat * p.channels);
}

template <class T>
void sum_chunk_of_planes(const Picture& p, const T* x, const T* dy, const Scratch& s, int64_t task) {
  const int64_t channel = task / p.chunks, chunk = task % p.chunks;
  double* first = s.sums + 2 * chunk * p.width() + channel;
  double* second = first + p.width();
  *first = *second = 0;
  for (int64_t i = p.outer * chunk / p.chunks; i < p.outer * (chunk + 1) / p.chunks; ++i) {
    const int64_t at = (i * p.channels + channel) * p.inner;
    channel_functions<T>().sum_plane(x + at, dy ? dy + at : nullptr, s.centre[channel], p.inner, first,
                                     second);
  }
}

// Leaves the channels' sums in the first 2 x channels of s.sums' rows.
template <class T>
void sum(const Picture& p, const T* x, const T* dy, const Scratch& s) {
  if (p.rows())
    parallel_tasks(p.chunks, p.elements(), [&](int64_t chunk) { sum_chunk_of_rows(p, x, dy, s, chunk); });
  else
    parallel_tasks(p.channels * p.chunks, p.elements(),
                   [&](int64_t task) { sum_chunk_of_planes(p, x, dy, s, task); });
  for (int64_t k = 0; k < 2; ++k)
    for (int64_t c = 0; c < p.channels; ++c) {
      double total = 0;
      for (int64_t chunk = 0; chunk < p.chunks; ++chunk)
        for (int64_t r = 0; r < p.repeat; ++r)
          total += s.sums[(2 * chunk + k) * p.width() + r * p.channels + c];
      s.sums[k * p.width() + c] = total;
    }
}

void repeat(const Picture& p, float* vector) {
  for (int64_t i = p.channels; i < p.width(); ++i) vector[i] = vector[i - p.channels];
}

template <class T>
void map(const Picture& p, const T* x, const T* dy, const Scratch& s, T* y) {
  const ChannelFunctions<T>& f = channel_functions<T>();
  if (!p.rows())
    return parallel_tasks(p.outer * p.channels, p.elements(), [&](int64_t plane) {
      const int64_t c = plane % p.channels, at = plane * p.inner;
      f.map_plane(x + at, dy ? dy + at : nullptr, s.centre[c], s.factor[c], s.slope[c], s.shift[c], p.inner,
                  y + at);
    });
  for (float* vector : {s.centre, s.factor, s.slope, s.shift}) repeat(p, vector);
  const int64_t rows = (p.outer + p.repeat - 1) / p.repeat;
  parallel_tasks(rows, p.elements(), [&](int64_t row) {
    const int64_t at = row * p.width(), n = std::min(p.width(), p.elements() - at);
    f.map_row(x + at, dy ? dy + at : nullptr, s.centre, s.factor, s.slope, s.shift, n, y + at);
  });
}

float reciprocal_root(double variance, double epsilon) {
  return static_cast<float>(1 / std::sqrt(variance + epsilon));
}

}  // namespace

template <class T>
static std::unique_ptr<Kernel> make_infer(const NodeRequest& request) {
  const Operand x = request.input(0), scale = request.input(1), bias = request.input(2),
                mean = request.input(3), variance = request.input(4), y = request.output(0);
  const double epsilon = request.attributes().get<double>("epsilon");
  const Picture p = picture(x);
  const int scratch = request.scratch();
  return function_kernel(
      [=](void* const* buffers) {
        const Scratch s(p, buffers[scratch]);
        for (int64_t c = 0; c < p.channels; ++c) {
          s.centre[c] = mean.in<const float>(buffers)[c];
          const double v = variance.in<const float>(buffers)[c];
          s.factor[c] = scale.in<const float>(buffers)[c] * reciprocal_root(v, epsilon);
          s.shift[c] = bias.in<const float>(buffers)[c];
          s.slope[c] = 0;
        }
        map<T>(p, x.in<const T>(buffers), nullptr, s, y.in<T>(buffers));
      },
      scratch_bytes(p));
}

template <class T>
static std::unique_ptr<Kernel> make_train(const NodeRequest& request) {
  const Operand x = request.input(0), scale = request.input(1), bias = request.input(2),
                y = request.output(0), mean = request.output(1), variance = request.output(2);
  const double epsilon = request.attributes().get<double>("epsilon");
  const Picture p = picture(x);
  const int scratch = request.scratch();
  return function_kernel(
      [=](void* const* buffers) {
        const Scratch s(p, buffers[scratch]);
        sum<T>(p, x.in<const T>(buffers), nullptr, s);
        for (int64_t c = 0; c < p.channels; ++c) {
          const double m = s.sums[c] / p.count();
          const double v = std::max(0.0, s.sums[p.width() + c] / p.count() - m * m);
          s.centre[c] = static_cast<float>(m);
          s.factor[c] = scale.in<const float>(buffers)[c] * reciprocal_root(v, epsilon);
          s.shift[c] = bias.in<const float>(buffers)[c];
          s.slope[c] = 0;
          if (mean) mean.in<float>(buffers)[c] = static_cast<float>(m);
          if (variance) variance.in<float>(buffers)[c] = static_cast<float>(v);
        }
        if (y) map<T>(p, x.in<const T>(buffers), nullptr, s, y.in<T>(buffers));
      },
      scratch_bytes(p));
}

// With z = (x - mean) rstd: dx = scale rstd (dy - mean dy - z mean (dy z))
template <class T>
static std::unique_ptr<Kernel> make_grad(const NodeRequest& request) {
  const Operand x = request.input(0), scale = request.input(1), mean = request.input(2),
                variance = request.input(3), dy = request.input(4), dx = request.output(0),
                dscale = request.output(1), dbias = request.output(2);
  const double epsilon = request.attributes().get<double>("epsilon");
  const Picture p = picture(x);
  const int scratch = request.scratch();
  return function_kernel(
      [=](void* const* buffers) {
        const Scratch s(p, buffers[scratch]);
        std::copy_n(mean.in<const float>(buffers), p.channels, s.centre);
        repeat(p, s.centre);
        sum(p, x.in<const T>(buffers), dy.in<const T>(buffers), s);
        for (int64_t c = 0; c < p.channels; ++c) {
          const double rstd =
              1 / std::sqrt(static_cast<double>(variance.in<const float>(buffers)[c]) + epsilon);
          const double sum_dy = s.sums[c], sum_dyz = s.sums[p.width() + c] * rstd;
          const double factor = static_cast<double>(scale.in<const float>(buffers)[c]) * rstd;
          s.factor[c] = static_cast<float>(factor);
          s.slope[c] = static_cast<float>(factor * rstd * sum_dyz / p.count());
          s.shift[c] = static_cast<float>(factor * sum_dy / p.count());
          if (dscale) dscale.in<float>(buffers)[c] = static_cast<float>(sum_dyz);
          if (dbias) dbias.in<float>(buffers)[c] = static_cast<float>(sum_dy);
        }
        if (dx) map(p, x.in<const T>(buffers), dy.in<const T>(buffers), s, dx.in<T>(buffers));
      },
      scratch_bytes(p));
}

std::unique_ptr<Kernel> make_batch_norm_infer(const NodeRequest& request) {
  return with_width(request.input(0).type.dtype, [&](auto t) { return make_infer<decltype(t)>(request); });
}

std::unique_ptr<Kernel> make_batch_norm_train(const NodeRequest& request) {
  return with_width(request.input(0).type.dtype, [&](auto t) { return make_train<decltype(t)>(request); });
}

std::unique_ptr<Kernel> make_batch_norm_grad(const NodeRequest& request) {
  return with_width(request.input(0).type.dtype, [&](auto t) { return make_grad<decltype(t)>(request); });
}

}  // namespace temper::cpu
