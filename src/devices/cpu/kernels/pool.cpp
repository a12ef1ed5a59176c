// Pooling over f32 or bf16 pictures of either layout; the maximum also over bytes. With channels innermost, a
// place is a run of channels; else of one.
#include <algorithm>
#include <limits>

#include "devices/cpu/kernels/parallel.h"
#include "devices/cpu/kernels/pool_rows.h"
#include "devices/cpu/kernels/request.h"

namespace temper::cpu {

namespace {

constexpr int64_t kStrip = 64;  // channels of one task of a gradient

struct Pool {
  std::array<int64_t, 2> in{}, out{}, window{}, stride{}, low{}, dilation{};
  std::array<int64_t, 4> in_along{}, out_along{};  // element strides: batch, channel, row, column
  int64_t batch = 1, channels = 1;
  bool is_max = false, count_padding = false;

  int64_t run() const {
    return in_along[1] == 1 && out_along[1] == 1 ? channels : 1;
  }  // channels side by side
  int64_t work() const { return batch * channels * out[0] * out[1] * window[0] * window[1]; }
};

Pool pool_of(const NodeRequest& request, const Operand& picture, const Operand& pooled) {
  const Attributes& a = request.attributes();
  Pool p;
  const auto set = [&](std::array<int64_t, 2>& to, std::string_view name) {
    for (size_t i = 0; i < 2; ++i) to[i] = a.get<Ints>(name)[i];
  };
  set(p.window, "window"), set(p.stride, "strides"), set(p.low, "low"), set(p.dilation, "dilations");
  const Ints in = picture.along(), out = pooled.along();
  for (size_t i = 0; i < 4; ++i) p.in_along[i] = in[i], p.out_along[i] = out[i];
  for (int i = 0; i < 2; ++i) {
    p.in[static_cast<size_t>(i)] = picture.shape().size(2 + i);
    p.out[static_cast<size_t>(i)] = pooled.shape().size(2 + i);
  }
  p.batch = picture.shape().size(0);
  p.channels = picture.shape().size(1);
  p.is_max = request.node().op->name.starts_with("max");
  p.count_padding = a.get_or<bool>("count_padding", false);
  return p;
}

// The places of a window inside the picture, as offsets from the picture's first element.
struct Taps {
  int64_t count = 0;
  std::array<int64_t, kMaxPoolTaps> offsets;
};

void find_taps(const Pool& p, int64_t row, int64_t column, Taps& taps) {
  taps.count = 0;
  for (int64_t i = 0; i < p.window[0]; ++i) {
    const int64_t y = row * p.stride[0] - p.low[0] + i * p.dilation[0];
    if (y < 0 || y >= p.in[0]) continue;
    for (int64_t j = 0; j < p.window[1]; ++j) {
      const int64_t x = column * p.stride[1] - p.low[1] + j * p.dilation[1];
      if (x >= 0 && x < p.in[1])
        taps.offsets[static_cast<size_t>(taps.count++)] = y * p.in_along[2] + x * p.in_along[3];
    }
  }
}

// What a window's sum is multiplied by; a window of padding alone has no taps and the sum 0.
float share(const Pool& p, const Taps& taps) {
  const int64_t count = p.count_padding ? p.window[0] * p.window[1] : std::max<int64_t>(taps.count, 1);
  return 1 / static_cast<float>(count);
}

// What a window of padding alone has for its maximum.
template <class T>
T least() {
  if constexpr (std::is_integral_v<T>) {
    return std::numeric_limits<T>::lowest();
  } else {
    T value;
    put(-std::numeric_limits<float>::infinity(), &value);
    return value;
  }
}

// One row of one picture's windows.
template <class T>
void pool_row(const Pool& p, const T* x, int64_t row, T* y) {
  const PoolFunctions<T>& f = pool_functions<T>();
  const int64_t run = p.run();
  Taps taps;
  for (int64_t column = 0; column < p.out[1]; ++column) {
    find_taps(p, row, column, taps);
    const int64_t at = row * p.out_along[2] + column * p.out_along[3];
    for (int64_t c = 0; c < p.channels; c += run) {
      const T* from = x + c * p.in_along[1];
      T* to = y + at + c * p.out_along[1];
      if (!p.is_max)
        f.sum(from, taps.offsets.data(), taps.count, share(p, taps), run, to);
      else if (taps.count > 0)
        f.max(from, taps.offsets.data(), taps.count, run, to);
      else
        std::fill_n(to, run, least<T>());
    }
  }
}

template <class Each>
void over_places(const Pool& p, const Each& each) {
  for (int64_t i = 0; i < p.in[0]; ++i)
    for (int64_t j = 0; j < p.in[1]; ++j) each(i * p.in_along[2] + j * p.in_along[3]);
}

// All of one picture's windows, for `run` channels side by side. x is null for a mean. sums: where dx lies,
// or floats of the same strides.
template <class T>
void pool_grad(const Pool& p, const T* x, const T* dy, int64_t run, float* sums) {
  const PoolFunctions<T>& f = pool_functions<T>();
  over_places(p, [&](int64_t at) { std::fill_n(sums + at, run, 0.0f); });
  Taps taps;
  for (int64_t row = 0; row < p.out[0]; ++row)
    for (int64_t column = 0; column < p.out[1]; ++column) {
      find_taps(p, row, column, taps);
      const T* from = dy + row * p.out_along[2] + column * p.out_along[3];
      if (!x)
        f.sum_grad(from, taps.offsets.data(), taps.count, share(p, taps), run, sums);
      else if (taps.count > 0)
        f.max_grad(x, from, taps.offsets.data(), taps.count, run, sums);
    }
}

template <class T>
std::unique_ptr<Kernel> make_forward(const NodeRequest& request) {
  const Operand x = request.input(0), y = request.output(0);
  const Pool p = pool_of(request, x, y);
  return function_kernel([=](void* const* buffers) {
    parallel_tasks(p.batch * p.out[0], p.work(), [&](int64_t task) {
      const int64_t n = task / p.out[0];
      pool_row(p, x.in<const T>(buffers) + n * p.in_along[0], task % p.out[0],
               y.in<T>(buffers) + n * p.out_along[0]);
    });
  });
}

// Windows overlap but never across channels, so a task has a strip of channels of one picture. In bf16 it
// adds up in floats of its thread's own.
template <class T>
std::unique_ptr<Kernel> make_gradient(const NodeRequest& request, int threads) {
  constexpr bool kApart = !std::is_same_v<T, float>;
  const bool is_max = request.node().op->name == "max_pool_grad";
  const Operand x = is_max ? request.input(0) : Operand(), dy = request.input(is_max ? 1 : 0),
                dx = request.output(0);
  const Pool p = pool_of(request, dx, dy);
  const int64_t strip = std::min(kStrip, p.run()),
                strips = p.channels == 0 ? 0 : (p.channels + strip - 1) / strip;
  const int64_t own = (p.in[0] - 1) * p.in_along[2] + (p.in[1] - 1) * p.in_along[3] + strip;
  const int scratch = request.scratch();
  return function_kernel(
      [=](void* const* buffers) {
        const auto add_up = [&](int64_t task, int64_t member) {
          const int64_t n = task / strips, c = task % strips * strip, run = std::min(strip, p.channels - c);
          const int64_t at = n * p.in_along[0] + c * p.in_along[1];
          const T* picture = is_max ? x.in<const T>(buffers) + at : nullptr;
          const T* gradient = dy.in<const T>(buffers) + n * p.out_along[0] + c * p.out_along[1];
          T* result = dx.in<T>(buffers) + at;
          if constexpr (kApart) {
            float* sums = static_cast<float*>(buffers[scratch]) + member * own;
            pool_grad(p, picture, gradient, run, sums);
            over_places(p,
                        [&](int64_t place) { pool_functions<T>().copy(sums + place, run, result + place); });
          } else {
            pool_grad(p, picture, gradient, run, result);
          }
        };
        parallel_by_member(p.batch * strips, p.work(), [&](int64_t begin, int64_t end, int64_t member) {
          for (int64_t task = begin; task < end; ++task) add_up(task, member);
        });
      },
      kApart ? threads * own * static_cast<int64_t>(sizeof(float)) : 0);
}

}  // namespace

std::unique_ptr<Kernel> make_pool(const NodeRequest& request) {
  const DType dtype = request.input(0).type.dtype;
  if (dtype == DType::u8) return make_forward<uint8_t>(request);
  if (dtype == DType::i8) return make_forward<int8_t>(request);
  return with_width(dtype, [&](auto t) { return make_forward<decltype(t)>(request); });
}

std::unique_ptr<Kernel> make_pool_grad(const NodeRequest& request) {
  return with_width(request.input(0).type.dtype,
                    [&](auto t) { return make_gradient<decltype(t)>(request, request.threads()); });
}

}  // namespace temper::cpu
