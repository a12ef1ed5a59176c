// Batch norm of f32 or bf16 pictures with f32 parameters, with or without a sum and a clamp behind it: sums
// per channel in f64, cut into chunks that depend on the shape alone, then one map.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

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

// Doubles of scratch: two sums per chunk and channel (repeated), then six floats per repeated channel.
int64_t scratch_bytes(const Picture& p) { return p.width() * (2 * p.chunks * 8 + 6 * 4); }

struct Scratch {
  double* sums;  // [chunks, 2, width]
  float *centre, *factor, *slope, *shift;
  float *forward_factor, *forward_shift;  // of a gradient: what computes y again
  Scratch(const Picture& p, void* memory) : sums(static_cast<double*>(memory)) {
    centre = reinterpret_cast<float*>(sums + 2 * p.chunks * p.width());
    factor = centre + p.width();
    slope = factor + p.width();
    shift = slope + p.width();
    forward_factor = shift + p.width();
    forward_shift = forward_factor + p.width();
  }
  ChannelConstants constants(int64_t from) const {
    return {centre + from, factor + from, slope + from, shift + from};
  }
};

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr Bounds kUnbounded{-kInfinity, kInfinity};

constexpr int64_t kPiece = 4096;  // elements that stay in the first-level cache between two loops
template <class T>
using Piece = std::array<T, kPiece>;

// Reads dy, set to 0 where the clamp behind the norm was closed.
template <class T>
class Cotangent {
 public:
  const T* dy = nullptr;
  const T* y = nullptr;  // null: computed again from x
  const T* x = nullptr;
  T* gated = nullptr;  // where the first pass leaves what it read; may be null
  Bounds bounds = kUnbounded;

  // n elements from `at`, the first of channel `channel`; `room` may be used.
  const T* first(const Picture& p, const Scratch& s, int64_t at, int64_t n, int64_t channel, T* room) const {
    return is_open() ? dy + at : compute(p, s, at, n, channel, gated ? gated + at : room);
  }
  const T* again(const Picture& p, const Scratch& s, int64_t at, int64_t n, int64_t channel, T* room) const {
    if (is_open()) return dy + at;
    return gated ? gated + at : compute(p, s, at, n, channel, room);
  }

 private:
  bool is_open() const { return !gated && bounds.low == -kInfinity && bounds.high == kInfinity; }

  const T* compute(const Picture& p, const Scratch& s, int64_t at, int64_t n, int64_t channel,
                   T* result) const {
    const ChannelFunctions<T>& f = channel_functions<T>();
    if (!y) {
      const ChannelConstants forward{s.centre + channel, s.forward_factor + channel, s.slope + channel,
                                     s.forward_shift + channel};
      (p.rows() ? f.apply_row : f.apply_plane)(x + at, nullptr, forward, kUnbounded, n, result);
    }
    f.gate(dy + at, y ? y + at : result, bounds, n, result);
    return result;
  }
};

// Calls part(begin, length) over [0, n) in pieces.
template <class Part>
void in_pieces(int64_t n, Part&& part) {
  for (int64_t begin = 0; begin < n; begin += kPiece) part(begin, std::min(kPiece, n - begin));
}

// Adds `count` rows of `columns` elements from `at`, one under the other.
template <class T>
void add_rows(const Picture& p, const T* x, const Cotangent<T>* dy, const Scratch& s, int64_t at,
              int64_t count, int64_t columns, double* first, double* second) {
  const ChannelFunctions<T>& f = channel_functions<T>();
  if (!dy) return f.sum_rows(x + at, nullptr, s.centre, count, columns, p.width(), 0, first, second);
  Piece<T> room;
  in_pieces(columns, [&](int64_t begin, int64_t n) {
    const int64_t most = kPiece / n;
    for (int64_t row = 0; row < count; row += most) {
      const int64_t rows = std::min(most, count - row), from = at + row * p.width() + begin;
      const T* values = nullptr;
      for (int64_t i = rows; i-- > 0;)
        values = dy->first(p, s, from + i * p.width(), n, begin, room.data() + i * n);
      const bool moved = values == room.data();
      f.sum_rows(x + from, values, s.centre + begin, rows, n, p.width(), moved ? n : p.width(), first + begin,
                 second + begin);
    }
  });
}

// The sums of one chunk of rows.
template <class T>
void sum_chunk_of_rows(const Picture& p, const T* x, const Cotangent<T>* dy, const Scratch& s,
                       int64_t chunk) {
  constexpr int64_t kBlockElements = 8192;  // stays in the first-level cache while strips pass over it
  double *first = s.sums + 2 * chunk * p.width(), *second = first + p.width();
  std::fill_n(first, 2 * p.width(), 0.0);
  const int64_t rows = p.outer / p.repeat;
  const int64_t begin = rows * chunk / p.chunks, end = rows * (chunk + 1) / p.chunks;
  const int64_t block = std::max<int64_t>(1, kBlockElements / p.width());
  for (int64_t row = begin; row < end; row += block)
    add_rows(p, x, dy, s, row * p.width(), std::min(block, end - row), p.width(), first, second);
  if (chunk == p.chunks - 1 && p.outer % p.repeat)  // the rows that do not fill a repeated one
    add_rows(p, x, dy, s, rows * p.width(), 1, p.outer % p.repeat * p.channels, first, second);
}

template <class T>
void sum_chunk_of_planes(const Picture& p, const T* x, const Cotangent<T>* dy, const Scratch& s,
                         int64_t task) {
  const int64_t channel = task / p.chunks, chunk = task % p.chunks;
  double* first = s.sums + 2 * chunk * p.width() + channel;
  double* second = first + p.width();
  *first = *second = 0;
  Piece<T> room;
  for (int64_t i = p.outer * chunk / p.chunks; i < p.outer * (chunk + 1) / p.chunks; ++i) {
    const int64_t at = (i * p.channels + channel) * p.inner;
    in_pieces(p.inner, [&](int64_t begin, int64_t n) {
      channel_functions<T>().sum_plane(x + at + begin,
                                       dy ? dy->first(p, s, at + begin, n, channel, room.data()) : nullptr,
                                       s.centre[channel], n, first, second);
    });
  }
}

// Leaves the channels' sums in the first 2 x channels of s.sums' rows.
template <class T>
void sum(const Picture& p, const T* x, const Cotangent<T>* dy, const Scratch& s) {
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

void repeat(const Picture& p, std::initializer_list<float*> vectors) {
  for (float* vector : vectors)
    for (int64_t i = p.channels; i < p.width(); ++i) vector[i] = vector[i - p.channels];
}

// Calls part(at, n, channel) for every run of elements whose constants begin at `channel`.
template <class Part>
void in_runs(const Picture& p, Part&& part) {
  const int64_t run = p.rows() ? p.width() : p.inner;
  parallel_tasks((p.elements() + run - 1) / run, p.elements(), [&](int64_t task) {
    const int64_t at = task * run;
    part(at, std::min(run, p.elements() - at), p.rows() ? 0 : task % p.channels);
  });
}

template <class T>
void apply(const Picture& p, const T* x, const T* addend, Bounds bounds, const Scratch& s, T* y) {
  const ChannelFunctions<T>& f = channel_functions<T>();
  if (p.rows()) repeat(p, {s.centre, s.factor, s.shift});
  in_runs(p, [&](int64_t at, int64_t n, int64_t channel) {
    (p.rows() ? f.apply_row : f.apply_plane)(x + at, addend ? addend + at : nullptr, s.constants(channel),
                                             bounds, n, y + at);
  });
}

template <class T>
void apply_gradient(const Picture& p, const T* x, const Cotangent<T>& dy, const Scratch& s, T* dx) {
  const ChannelFunctions<T>& f = channel_functions<T>();
  if (p.rows()) repeat(p, {s.factor, s.slope, s.shift});
  in_runs(p, [&](int64_t at, int64_t all, int64_t channel) {
    Piece<T> room;
    in_pieces(all, [&](int64_t begin, int64_t n) {
      const int64_t from = p.rows() ? channel + begin : channel;
      const T* values = dy.again(p, s, at + begin, n, from, room.data());
      (p.rows() ? f.gradient_row : f.gradient_plane)(x + at + begin, values, s.constants(from), n,
                                                     dx + at + begin);
    });
  });
}

float reciprocal_root(double variance, double epsilon) {
  return static_cast<float>(1 / std::sqrt(variance + epsilon));
}

// The vectors of a norm, in their buffers.
struct Parameters {
  const float *scale, *bias;
  double epsilon;
};

// What `apply` reads of one channel.
void set_channel(const Scratch& s, int64_t c, double mean, double variance, const Parameters& p) {
  s.centre[c] = static_cast<float>(mean);
  s.factor[c] = p.scale[c] * reciprocal_root(variance, p.epsilon);
  s.shift[c] = p.bias[c];
}

Bounds bounds_of(const NodeRequest& request) {
  return {static_cast<float>(request.attributes().get<double>("low")),
          static_cast<float>(request.attributes().get<double>("high"))};
}

template <class T>
std::unique_ptr<Kernel> make_train(const NodeRequest& request, const Operand& addend, Bounds bounds) {
  const Operand x = request.input(0), scale = request.input(1), bias = request.input(2),
                y = request.output(0), mean = request.output(1), variance = request.output(2);
  const double epsilon = request.attributes().get<double>("epsilon");
  const Picture p = picture(x);
  const int scratch = request.scratch();
  return function_kernel(
      [=](void* const* buffers) {
        const Scratch s(p, buffers[scratch]);
        const Parameters parameters{scale.in<const float>(buffers), bias.in<const float>(buffers), epsilon};
        sum<T>(p, x.in<const T>(buffers), nullptr, s);
        for (int64_t c = 0; c < p.channels; ++c) {
          const double m = s.sums[c] / p.count();
          const double v = std::max(0.0, s.sums[p.width() + c] / p.count() - m * m);
          set_channel(s, c, m, v, parameters);
          if (mean) mean.in<float>(buffers)[c] = static_cast<float>(m);
          if (variance) variance.in<float>(buffers)[c] = static_cast<float>(v);
        }
        if (y) apply<T>(p, x.in<const T>(buffers), addend.in<const T>(buffers), bounds, s, y.in<T>(buffers));
      },
      scratch_bytes(p));
}

// The node's operands, wherever they stand among its inputs.
struct GradientOperands {
  Operand x, scale, bias, mean, variance, dy, y, gated;  // bias, y, gated may be absent
};

// With z = (x - mean) rstd: dx = scale rstd (dy - mean dy - z mean (dy z))
template <class T>
std::unique_ptr<Kernel> make_gradient(const NodeRequest& request, const GradientOperands& o, Bounds bounds) {
  const Operand dx = request.output(0), dscale = request.output(1), dbias = request.output(2);
  const double epsilon = request.attributes().get<double>("epsilon");
  const Picture p = picture(o.x);
  const int scratch = request.scratch();
  return function_kernel(
      [=](void* const* buffers) {
        const Scratch s(p, buffers[scratch]);
        const auto* x = o.x.in<const T>(buffers);
        const Cotangent<T> dy{.dy = o.dy.in<const T>(buffers),
                              .y = o.y.in<const T>(buffers),
                              .x = x,
                              .gated = o.gated.in<T>(buffers),
                              .bounds = bounds};
        for (int64_t c = 0; c < p.channels; ++c) {
          s.centre[c] = o.mean.in<const float>(buffers)[c];
          const double v = o.variance.in<const float>(buffers)[c];
          s.forward_factor[c] = o.scale.in<const float>(buffers)[c] * reciprocal_root(v, epsilon);
          s.forward_shift[c] = o.bias ? o.bias.in<const float>(buffers)[c] : 0;
        }
        repeat(p, {s.centre, s.forward_factor, s.forward_shift});
        sum(p, x, &dy, s);
        for (int64_t c = 0; c < p.channels; ++c) {
          const double rstd =
              1 / std::sqrt(static_cast<double>(o.variance.in<const float>(buffers)[c]) + epsilon);
          const double sum_dy = s.sums[c], sum_dyz = s.sums[p.width() + c] * rstd;
          const double factor = static_cast<double>(o.scale.in<const float>(buffers)[c]) * rstd;
          s.factor[c] = static_cast<float>(factor);
          s.slope[c] = static_cast<float>(factor * rstd * sum_dyz / p.count());
          s.shift[c] = static_cast<float>(factor * sum_dy / p.count());
          if (dscale) dscale.in<float>(buffers)[c] = static_cast<float>(sum_dyz);
          if (dbias) dbias.in<float>(buffers)[c] = static_cast<float>(sum_dy);
        }
        if (dx) apply_gradient(p, x, dy, s, dx.in<T>(buffers));
      },
      scratch_bytes(p));
}

template <class T>
std::unique_ptr<Kernel> make_infer(const NodeRequest& request) {
  const Operand x = request.input(0), scale = request.input(1), bias = request.input(2),
                mean = request.input(3), variance = request.input(4), y = request.output(0);
  const double epsilon = request.attributes().get<double>("epsilon");
  const Picture p = picture(x);
  const int scratch = request.scratch();
  return function_kernel(
      [=](void* const* buffers) {
        const Scratch s(p, buffers[scratch]);
        const Parameters parameters{scale.in<const float>(buffers), bias.in<const float>(buffers), epsilon};
        for (int64_t c = 0; c < p.channels; ++c)
          set_channel(s, c, mean.in<const float>(buffers)[c], variance.in<const float>(buffers)[c],
                      parameters);
        apply<T>(p, x.in<const T>(buffers), nullptr, kUnbounded, s, y.in<T>(buffers));
      },
      scratch_bytes(p));
}

}  // namespace

std::unique_ptr<Kernel> make_batch_norm_infer(const NodeRequest& request) {
  return with_width(request.input(0).type.dtype, [&](auto t) { return make_infer<decltype(t)>(request); });
}

std::unique_ptr<Kernel> make_batch_norm_train(const NodeRequest& request) {
  return with_width(request.input(0).type.dtype,
                    [&](auto t) { return make_train<decltype(t)>(request, {}, kUnbounded); });
}

std::unique_ptr<Kernel> make_batch_norm_act_train(const NodeRequest& request) {
  return with_width(request.input(0).type.dtype, [&](auto t) {
    return make_train<decltype(t)>(request, request.input(3), bounds_of(request));
  });
}

std::unique_ptr<Kernel> make_batch_norm_grad(const NodeRequest& r) {
  const GradientOperands operands{.x = r.input(0),
                                  .scale = r.input(1),
                                  .bias = {},
                                  .mean = r.input(2),
                                  .variance = r.input(3),
                                  .dy = r.input(4),
                                  .y = {},
                                  .gated = {}};
  return with_width(operands.x.type.dtype,
                    [&](auto t) { return make_gradient<decltype(t)>(r, operands, kUnbounded); });
}

std::unique_ptr<Kernel> make_batch_norm_act_grad(const NodeRequest& r) {
  const GradientOperands operands{.x = r.input(0),
                                  .scale = r.input(1),
                                  .bias = r.input(2),
                                  .mean = r.input(3),
                                  .variance = r.input(4),
                                  .dy = r.input(5),
                                  .y = r.input(6),
                                  .gated = r.output(3)};
  return with_width(operands.x.type.dtype,
                    [&](auto t) { return make_gradient<decltype(t)>(r, operands, bounds_of(r)); });
}

}  // namespace temper::cpu
