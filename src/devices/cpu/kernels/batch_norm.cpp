// Batch norm of f32 or bf16 pictures with f32 parameters, with or without a sum and a clamp behind it: sums
// per channel, cut into chunks that depend on the shape alone, then one map.
#include <algorithm>
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
  constexpr int64_t kWide = 512, kChunkElements = 32768, kMaxChunks = 16;
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

// What is summed: x and its square, or, where there is a dy, that and its product with x.
template <class T>
struct Summed {
  const T* x;
  const T* dy = nullptr;
  Gate<T> gate = {};

  void rows(const Picture& p, const Scratch& s, int64_t at, int64_t count, int64_t columns, double* first,
            double* second) const {
    const ChannelFunctions<T>& f = channel_functions<T>();
    if (!dy) return f.sum_rows(x + at, s.centre, count, columns, p.width(), first, second);
    f.sum_gradient_rows(x + at, dy + at, gate.at(at, 0), s.centre, count, columns, p.width(), first, second);
  }
  void plane(const Scratch& s, int64_t at, int64_t n, int64_t channel, double* first, double* second) const {
    const ChannelFunctions<T>& f = channel_functions<T>();
    if (!dy) return f.sum_plane(x + at, s.centre + channel, n, first, second);
    f.sum_gradient_plane(x + at, dy + at, gate.at(at, channel), s.centre + channel, n, first, second);
  }
};

// The sums of one chunk of rows.
template <class T>
void sum_chunk_of_rows(const Picture& p, const Summed<T>& summed, const Scratch& s, int64_t chunk) {
  double *first = s.sums + 2 * chunk * p.width(), *second = first + p.width();
  std::fill_n(first, 2 * p.width(), 0.0);
  const int64_t rows = p.outer / p.repeat;
  const int64_t begin = rows * chunk / p.chunks, end = rows * (chunk + 1) / p.chunks;
  summed.rows(p, s, begin * p.width(), end - begin, p.width(), first, second);
  if (chunk == p.chunks - 1 && p.outer % p.repeat)  // the rows that do not fill a repeated one
    summed.rows(p, s, rows * p.width(), 1, p.outer % p.repeat * p.channels, first, second);
}

template <class T>
void sum_chunk_of_planes(const Picture& p, const Summed<T>& summed, const Scratch& s, int64_t task) {
  const int64_t channel = task / p.chunks, chunk = task % p.chunks;
  double* first = s.sums + 2 * chunk * p.width() + channel;
  double* second = first + p.width();
  *first = *second = 0;
  for (int64_t i = p.outer * chunk / p.chunks; i < p.outer * (chunk + 1) / p.chunks; ++i)
    summed.plane(s, (i * p.channels + channel) * p.inner, p.inner, channel, first, second);
}

// Leaves the channels' sums in the first 2 x channels of s.sums' rows.
template <class T>
void sum(const Picture& p, const Summed<T>& summed, const Scratch& s) {
  if (p.rows())
    parallel_tasks(p.chunks, p.elements(), [&](int64_t chunk) { sum_chunk_of_rows(p, summed, s, chunk); });
  else
    parallel_tasks(p.channels * p.chunks, p.elements(),
                   [&](int64_t task) { sum_chunk_of_planes(p, summed, s, task); });
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

// A number near the values of each channel, so that little cancels when a variance comes from sums of
// squares: the mean of its first ones.
template <class T>
void choose_centres(const Picture& p, const T* x, const Scratch& s) {
  constexpr int64_t kSome = 64;
  double *first = s.sums, *second = first + p.width();
  std::fill_n(s.centre, p.width(), 0.0F);
  std::fill_n(first, 2 * p.width(), 0.0);
  const int64_t some = std::min(kSome, p.rows() ? p.outer : p.inner);
  const Summed<T> summed{x};
  if (some == 0) return;
  for (int64_t c = 0; !p.rows() && c < p.channels; ++c)
    summed.plane(s, c * p.inner, some, c, first + c, second + c);
  if (p.rows()) channel_functions<T>().sum_rows(x, s.centre, some, p.channels, p.channels, first, second);
  for (int64_t c = 0; c < p.channels; ++c)
    s.centre[c] = static_cast<float>(first[c] / static_cast<double>(some));
  if (p.rows()) repeat(p, {s.centre});
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
void apply_gradient(const Picture& p, const T* x, const T* dy, const Gate<T>& gate, const Scratch& s, T* dx) {
  const ChannelFunctions<T>& f = channel_functions<T>();
  if (p.rows()) repeat(p, {s.factor, s.slope, s.shift});
  in_runs(p, [&](int64_t at, int64_t n, int64_t channel) {
    (p.rows() ? f.gradient_row : f.gradient_plane)(x + at, dy + at, gate.at(at, channel),
                                                   s.constants(channel), n, dx + at);
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
        choose_centres(p, x.in<const T>(buffers), s);
        sum(p, Summed<T>{x.in<const T>(buffers)}, s);
        for (int64_t c = 0; c < p.channels; ++c) {
          const double away = s.sums[c] / p.count(), m = static_cast<double>(s.centre[c]) + away;
          const double v = std::max(0.0, s.sums[p.width() + c] / p.count() - away * away);
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

struct Sums {
  double dy, dyz;  // z = (x - mean) rstd
};

// What `apply_gradient` reads of one channel: dx = scale rstd (dy - mean dy - z mean (dy z))
void set_gradient_channel(const Scratch& s, int64_t c, float mean, double scale, double variance,
                          double epsilon, const Sums& sums, double count) {
  const double rstd = 1 / std::sqrt(variance + epsilon), factor = scale * rstd;
  s.centre[c] = mean;
  s.factor[c] = static_cast<float>(factor);
  s.slope[c] = static_cast<float>(factor * rstd * sums.dyz / count);
  s.shift[c] = static_cast<float>(factor * sums.dy / count);
}

template <class T>
std::unique_ptr<Kernel> make_gradient(const NodeRequest& request, const GradientOperands& o, Bounds bounds) {
  const Operand dx = request.output(0), dscale = request.output(1), dbias = request.output(2);
  const double epsilon = request.attributes().get<double>("epsilon");
  const Picture p = picture(o.x);
  const int scratch = request.scratch();
  const bool is_open = bounds.low == -kInfinity && bounds.high == kInfinity;
  return function_kernel(
      [=](void* const* buffers) {
        const Scratch s(p, buffers[scratch]);
        const auto *x = o.x.in<const T>(buffers), *dy = o.dy.in<const T>(buffers);
        Gate<T> gate{.open = is_open && !o.gated,
                     .y = o.y.in<const T>(buffers),
                     .kept = o.gated.in<T>(buffers),
                     .factor = s.forward_factor,
                     .shift = s.forward_shift,
                     .bounds = bounds};
        for (int64_t c = 0; c < p.channels; ++c) {
          s.centre[c] = o.mean.in<const float>(buffers)[c];
          const double v = o.variance.in<const float>(buffers)[c];
          s.forward_factor[c] = o.scale.in<const float>(buffers)[c] * reciprocal_root(v, epsilon);
          s.forward_shift[c] = o.bias ? o.bias.in<const float>(buffers)[c] : 0;
        }
        repeat(p, {s.centre, s.forward_factor, s.forward_shift});
        sum(p, Summed<T>{x, dy, gate}, s);
        for (int64_t c = 0; c < p.channels; ++c) {
          const double v = o.variance.in<const float>(buffers)[c];
          const Sums sums{s.sums[c], s.sums[p.width() + c] / std::sqrt(v + epsilon)};
          set_gradient_channel(s, c, s.centre[c], o.scale.in<const float>(buffers)[c], v, epsilon, sums,
                               p.count());
          if (dscale) dscale.in<float>(buffers)[c] = static_cast<float>(sums.dyz);
          if (dbias) dbias.in<float>(buffers)[c] = static_cast<float>(sums.dy);
        }
        if (!dx) return;
        if (gate.kept)
          gate = {.factor = s.forward_factor, .shift = s.forward_shift};  // it has passed already
        apply_gradient(p, x, o.gated ? o.gated.in<const T>(buffers) : dy, gate, s, dx.in<T>(buffers));
      },
      scratch_bytes(p));
}

template <class T>
std::unique_ptr<Kernel> make_infer(const NodeRequest& request, const Operand& addend, Bounds bounds) {
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
        apply<T>(p, x.in<const T>(buffers), addend.in<const T>(buffers), bounds, s, y.in<T>(buffers));
      },
      scratch_bytes(p));
}

// The map of make_gradient, whose sums are operands.
template <class T>
std::unique_ptr<Kernel> make_input_gradient(const NodeRequest& request) {
  const Operand x = request.input(0), scale = request.input(1), bias = request.input(2),
                mean = request.input(3), variance = request.input(4), dy = request.input(5),
                dscale = request.input(6), dbias = request.input(7), dx = request.output(0);
  const double epsilon = request.attributes().get<double>("epsilon");
  const auto count = static_cast<double>(request.attributes().get<int64_t>("count"));
  const Bounds bounds = bounds_of(request);
  const Picture p = picture(x);
  const int scratch = request.scratch();
  return function_kernel(
      [=](void* const* buffers) {
        const Scratch s(p, buffers[scratch]);
        const Gate<T> gate{.open = bounds.low == -kInfinity && bounds.high == kInfinity,
                           .factor = s.forward_factor,
                           .shift = s.forward_shift,
                           .bounds = bounds};
        for (int64_t c = 0; c < p.channels; ++c) {
          const Sums sums{dbias.in<const float>(buffers)[c], dscale.in<const float>(buffers)[c]};
          const float centre = mean.in<const float>(buffers)[c], wide = variance.in<const float>(buffers)[c];
          set_gradient_channel(s, c, centre, scale.in<const float>(buffers)[c], wide, epsilon, sums, count);
          s.forward_factor[c] = scale.in<const float>(buffers)[c] * reciprocal_root(wide, epsilon);
          s.forward_shift[c] = bias.in<const float>(buffers)[c];
        }
        repeat(p, {s.centre, s.forward_factor, s.forward_shift});
        apply_gradient<T>(p, x.in<const T>(buffers), dy.in<const T>(buffers), gate, s, dx.in<T>(buffers));
      },
      scratch_bytes(p));
}

}  // namespace

std::unique_ptr<Kernel> make_batch_norm_infer(const NodeRequest& request) {
  return with_width(request.input(0).type.dtype,
                    [&](auto t) { return make_infer<decltype(t)>(request, {}, kUnbounded); });
}

std::unique_ptr<Kernel> make_batch_norm_act_infer(const NodeRequest& request) {
  return with_width(request.input(0).type.dtype, [&](auto t) {
    return make_infer<decltype(t)>(request, request.input(5), bounds_of(request));
  });
}

std::unique_ptr<Kernel> make_batch_norm_act_input_grad(const NodeRequest& request) {
  return with_width(request.input(0).type.dtype,
                    [&](auto t) { return make_input_gradient<decltype(t)>(request); });
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
