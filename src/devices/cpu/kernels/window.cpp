// reduce_window in every dtype.
#include <algorithm>

#include "codegen/tape_names.h"
#include "devices/cpu/kernels/block.h"
#include "devices/cpu/kernels/parallel.h"
#include "devices/cpu/kernels/request.h"

namespace temper::cpu {

namespace {

struct WindowAxis {
  int64_t in, out, window, stride, low, dilation;
  int64_t in_stride, out_stride;  // elements
};

constexpr size_t kMaxAxes = 8;
constexpr int64_t kRun = 64;  // window elements that one fold takes

struct Window {
  Operand x, y;
  std::vector<WindowAxis> axes;
  Fold fold;
  BlockFunction load;
  int64_t outputs = 1, elements = 1;
};

// Folds the inner axis' part of a window; the part is gathered, so that one fold serves every stride.
void fold_run(const Window& w, const std::byte* x, int64_t count, int64_t step, Accumulator* into) {
  const int64_t bytes = w.x.element_bytes();
  alignas(64) std::byte narrow[kRun * 8], cells[kRun * 8];
  for (int64_t done = 0; done < count; done += kRun) {
    const int64_t n = std::min(kRun, count - done);
    for (int64_t i = 0; i < n; ++i) std::copy_n(x + (done + i) * step * bytes, bytes, narrow + i * bytes);
    w.load(narrow, nullptr, nullptr, cells, n);
    w.fold.fold(cells, 1, n, false, into);
  }
}

void fold_window(const Window& w, const std::array<int64_t, kMaxAxes>& at, const std::byte* x,
                 Accumulator* into) {
  const size_t rank = w.axes.size();
  // by axis: the window's positions that fall inside
  std::array<int64_t, kMaxAxes> first{}, count{}, index{};
  for (size_t i = 0; i < rank; ++i) {
    const WindowAxis& a = w.axes[i];
    const int64_t start = at[i] * a.stride - a.low;
    first[i] = start >= 0 ? 0 : (-start + a.dilation - 1) / a.dilation;
    const int64_t end = a.in <= start ? 0 : (a.in - start + a.dilation - 1) / a.dilation;
    count[i] = std::min(end, a.window) - first[i];
    if (count[i] <= 0) return;
    x += (start + first[i] * a.dilation) * a.in_stride * w.x.element_bytes();
  }
  const WindowAxis& inner = w.axes[rank - 1];
  for (;;) {
    int64_t offset = 0;
    for (size_t i = 0; i + 1 < rank; ++i) offset += index[i] * w.axes[i].dilation * w.axes[i].in_stride;
    fold_run(w, x + offset * w.x.element_bytes(), count[rank - 1], inner.dilation * inner.in_stride, into);
    size_t axis = rank - 1;
    while (axis > 0 && ++index[axis - 1] == count[axis - 1]) index[--axis] = 0;
    if (axis == 0) return;
  }
}

}  // namespace

std::unique_ptr<Kernel> make_reduce_window(const NodeRequest& request) {
  Window w{.x = request.input(0), .y = request.output(0)};
  const Attributes& a = request.attributes();
  const auto entry = [&](std::string_view name, int axis) {
    return a.get<Ints>(name)[static_cast<size_t>(axis)];
  };
  const Ints in = w.x.along(), out = w.y.along();
  for (int i = 0; i < w.x.shape().rank(); ++i) {
    const auto k = static_cast<size_t>(i);
    w.axes.push_back({w.x.shape().size(i), w.y.shape().size(i), entry("window", i), entry("strides", i),
                      entry("low", i), entry("dilations", i), in[k], out[k]});
    w.elements *= entry("window", i);
  }
  if (w.axes.empty()) w.axes.push_back({1, 1, 1, 1, 0, 1, 1, 1});
  TEMPER_CHECK(w.axes.size() <= kMaxAxes, "reduce_window of rank ", w.axes.size());
  w.fold = fold_function(reduce_kind(a.get<std::string>("kind")), w.x.type.dtype);
  w.load = load_function(w.x.type.dtype);
  w.outputs = w.y.elements();
  return function_kernel([w = std::move(w)](void* const* buffers) {
    parallel_tasks(w.outputs, w.outputs * w.elements * 4, [&](int64_t number) {
      std::array<int64_t, kMaxAxes> at{};
      int64_t offset = 0;
      for (size_t i = w.axes.size(); i-- > 0; number /= w.axes[i].out) {
        at[i] = number % w.axes[i].out;
        offset += at[i] * w.axes[i].out_stride;
      }
      Accumulator sum = w.fold.neutral;
      fold_window(w, at, w.x.in<const std::byte>(buffers), &sum);
      w.fold.finish(&sum, w.y.in<std::byte>(buffers) + offset * w.y.element_bytes());
    });
  });
}

}  // namespace temper::cpu
