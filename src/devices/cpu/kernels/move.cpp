// Kernels that move elements: each is a box or two copied between strided places.
#include <algorithm>
#include <cstring>

#include "devices/cpu/kernels/parallel.h"
#include "devices/cpu/kernels/request.h"
#include "devices/cpu/kernels/strided_copy.h"

namespace temper::cpu {

namespace {

int64_t dot(const Ints& a, const Ints& b) {
  int64_t sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

const std::byte* offset(const Operand& x, void* const* buffers, int64_t elements) {
  return x.in<const std::byte>(buffers) + elements * x.element_bytes();
}
std::byte* offset_out(const Operand& y, void* const* buffers, int64_t elements) {
  return y.in<std::byte>(buffers) + elements * y.element_bytes();
}

// y's box at `to` from x's at `from`.
std::unique_ptr<Kernel> box_kernel(const Operand& x, const Operand& y, Ints sizes, Ints from_strides,
                                   Ints to_strides, int64_t from, int64_t to) {
  const StridedCopy copy(std::move(sizes), std::move(from_strides), std::move(to_strides), y.element_bytes());
  return function_kernel(
      [=](void* const* buffers) { copy.run(offset(x, buffers, from), offset_out(y, buffers, to)); });
}

// where a box lies whose starts are clamped to [0, last]
int64_t clamped_offset(const int64_t* starts, const Ints& last, const Ints& along) {
  int64_t at = 0;
  for (size_t i = 0; i < last.size(); ++i) at += std::clamp<int64_t>(starts[i], 0, last[i]) * along[i];
  return at;
}

}  // namespace

std::unique_ptr<Kernel> make_broadcast(const NodeRequest& request) {
  const Operand x = request.input(0), y = request.output(0);
  const Ints axes = request.attributes().get<Ints>("axes"), own = x.along();
  Ints from(static_cast<size_t>(y.shape().rank()), 0);
  for (size_t i = 0; i < axes.size(); ++i)
    if (x.shape().size(static_cast<int>(i)) != 1) from[static_cast<size_t>(axes[i])] = own[i];
  return box_kernel(x, y, y.shape().sizes(), from, y.along(), 0, 0);
}

// The logical row-major orders agree: a reshape, or the same shape in another layout.
std::unique_ptr<Kernel> make_copy(const NodeRequest& request) {
  const Operand x = request.input(0), y = request.output(0);
  if (x.shape() == y.shape()) return box_kernel(x, y, x.shape().sizes(), x.along(), y.along(), 0, 0);
  TEMPER_CHECK(x.layout == kRowMajor && y.layout == kRowMajor, "a reshape of a layout");
  return box_kernel(x, y, {y.elements()}, {1}, {1}, 0, 0);
}

std::unique_ptr<Kernel> make_transpose(const NodeRequest& request) {
  const Operand x = request.input(0), y = request.output(0);
  const Ints own = x.along();
  Ints from;
  for (int64_t axis : request.attributes().get<Ints>("permutation"))
    from.push_back(own[static_cast<size_t>(axis)]);
  return box_kernel(x, y, y.shape().sizes(), from, y.along(), 0, 0);
}

std::unique_ptr<Kernel> make_slice(const NodeRequest& request) {
  const Operand x = request.input(0), y = request.output(0);
  const Ints& starts = request.attributes().get<Ints>("starts");
  const Ints& steps = request.attributes().get<Ints>("strides");
  const Ints own = x.along();
  Ints from = own;
  for (size_t i = 0; i < from.size(); ++i) from[i] *= steps[i];
  return box_kernel(x, y, y.shape().sizes(), from, y.along(), dot(starts, own), 0);
}

std::unique_ptr<Kernel> make_reverse(const NodeRequest& request) {
  const Operand x = request.input(0), y = request.output(0);
  Ints from = x.along();
  int64_t start = 0;
  for (int64_t axis : request.attributes().get<Ints>("axes")) {
    int64_t& stride = from[static_cast<size_t>(axis)];
    start += (x.shape().size(static_cast<int>(axis)) - 1) * stride;
    stride = -stride;
  }
  return box_kernel(x, y, y.shape().sizes(), from, y.along(), start, 0);
}

std::unique_ptr<Kernel> make_pad(const NodeRequest& request) {
  const Operand x = request.input(0), value = request.input(1), y = request.output(0);
  const Ints &low = request.attributes().get<Ints>("low"),
             &interior = request.attributes().get<Ints>("interior");
  const Ints from = x.along(), along = y.along();
  Ints sizes(low.size()), to(low.size());
  int64_t start = 0, target = 0;
  for (size_t i = 0; i < low.size(); ++i) {
    // elements k with 0 <= low + k step < size
    const int64_t step = interior[i] + 1, size = y.shape().size(static_cast<int>(i));
    const int64_t first = low[i] >= 0 ? 0 : (-low[i] + step - 1) / step;
    const int64_t end = size <= low[i] ? 0 : (size - low[i] + step - 1) / step;
    sizes[i] = std::max<int64_t>(0, std::min(end, x.shape().size(static_cast<int>(i))) - first);
    to[i] = along[i] * step;
    start += first * from[i];
    target += (low[i] + first * step) * along[i];
  }
  if (std::find(sizes.begin(), sizes.end(), 0) != sizes.end()) start = target = 0;
  const StridedCopy fill({y.elements()}, {0}, {1}, y.element_bytes());
  const StridedCopy copy(sizes, from, to, y.element_bytes());
  return function_kernel([=](void* const* buffers) {
    fill.run(value.in<const void>(buffers), y.in<void>(buffers));
    copy.run(offset(x, buffers, start), offset_out(y, buffers, target));
  });
}

std::unique_ptr<Kernel> make_concat(const NodeRequest& request) {
  struct Part {
    Operand x;
    StridedCopy copy;
    int64_t to;
  };
  const Operand y = request.output(0);
  const auto axis = static_cast<size_t>(request.attributes().get<int64_t>("axis"));
  const Ints along = y.along();
  std::vector<Part> parts;
  int64_t at = 0;
  for (size_t i = 0; i < request.inputs(); ++i) {
    const Operand x = request.input(i);
    parts.push_back(
        {x, StridedCopy(x.shape().sizes(), x.along(), along, y.element_bytes()), at * along[axis]});
    at += x.shape().size(static_cast<int>(axis));
  }
  return function_kernel([y, parts = std::move(parts)](void* const* buffers) {
    for (const Part& part : parts)
      part.copy.run(part.x.in<const void>(buffers), offset_out(y, buffers, part.to));
  });
}

std::unique_ptr<Kernel> make_dynamic_slice(const NodeRequest& request) {
  const Operand x = request.input(0), starts = request.input(1), y = request.output(0);
  const Ints along = x.along();
  Ints last = x.shape().sizes();
  for (size_t i = 0; i < last.size(); ++i) last[i] -= y.shape().size(static_cast<int>(i));
  const StridedCopy copy(y.shape().sizes(), along, y.along(), y.element_bytes());
  return function_kernel([=](void* const* buffers) {
    copy.run(offset(x, buffers, clamped_offset(starts.in<const int64_t>(buffers), last, along)),
             y.in<void>(buffers));
  });
}

std::unique_ptr<Kernel> make_dynamic_update_slice(const NodeRequest& request) {
  const Operand x = request.input(0), update = request.input(1), starts = request.input(2),
                y = request.output(0);
  const Ints along = y.along();
  Ints last = x.shape().sizes();
  for (size_t i = 0; i < last.size(); ++i) last[i] -= update.shape().size(static_cast<int>(i));
  const StridedCopy whole(x.shape().sizes(), x.along(), along, y.element_bytes());
  const StridedCopy part(update.shape().sizes(), update.along(), along, y.element_bytes());
  return function_kernel([=](void* const* buffers) {
    const int64_t at = clamped_offset(starts.in<const int64_t>(buffers), last, along);
    if (x.in<void>(buffers) != y.in<void>(buffers)) whole.run(x.in<const void>(buffers), y.in<void>(buffers));
    part.run(update.in<const void>(buffers), offset_out(y, buffers, at));
  });
}

}  // namespace temper::cpu
