// Sorting and picking along one axis.
#include <algorithm>
#include <numeric>

#include "devices/cpu/kernels/numbers.h"
#include "devices/cpu/kernels/parallel.h"
#include "devices/cpu/kernels/request.h"

namespace temper::cpu {

namespace {

// The lines of a row-major array along one axis.
struct Lines {
  int64_t count, size, stride;
  int64_t start(int64_t line) const { return line / stride * stride * size + line % stride; }
};

Lines lines(const Shape& shape, int64_t axis) {
  Lines l{1, shape.size(static_cast<int>(axis)), 1};
  for (int i = 0; i < shape.rank(); ++i) {
    if (i != axis) l.count *= shape.size(i);
    if (i > axis) l.stride *= shape.size(i);
  }
  return l;
}

// order: numbers of the line's elements, sorted; NaN stands last, equals keep their order.
template <class S>
void sort_line(const S* x, const Lines& l, bool descending, int64_t* order) {
  std::iota(order, order + l.size, int64_t{0});
  std::sort(order, order + l.size, [&](int64_t i, int64_t j) {
    const auto a = x[i * l.stride].get(), b = x[j * l.stride].get();
    const bool a_nan = a != a, b_nan = b != b;
    if (a_nan || b_nan) return a_nan == b_nan ? i < j : b_nan;
    if (a == b) return i < j;
    return descending ? b < a : a < b;
  });
}

template <class T>
void take_line(const void* from, void* to, int64_t start, const Lines& l, const int64_t* order) {
  const T* x = static_cast<const T*>(from) + start;
  T* y = static_cast<T*>(to) + start;
  for (int64_t i = 0; i < l.size; ++i) y[i * l.stride] = x[order[i] * l.stride];
}

void take_line(int64_t bytes, const void* from, void* to, int64_t start, const Lines& l,
               const int64_t* order) {
  switch (bytes) {
    case 1:
      return take_line<uint8_t>(from, to, start, l, order);
    case 2:
      return take_line<uint16_t>(from, to, start, l, order);
    case 4:
      return take_line<uint32_t>(from, to, start, l, order);
    default:
      return take_line<uint64_t>(from, to, start, l, order);
  }
}

// Whether a beats b; NaN beats every number.
template <class T>
bool beats(T a, T b, bool largest, bool last) {
  if (a != a || b != b) return a != a && (last || b == b);
  return (largest ? a > b : a < b) || (last && a == b);
}

template <class S, class R>
void arg_line(const S* x, const Lines& l, bool largest, bool last, R* y) {
  int64_t best = 0;
  auto value = x[0].get();
  for (int64_t i = 1; i < l.size; ++i) {
    const auto next = x[i * l.stride].get();
    if (!beats(next, value, largest, last)) continue;
    best = i;
    value = next;
  }
  *y = static_cast<R>(best);
}

}  // namespace

std::unique_ptr<Kernel> make_sort(const NodeRequest& request) {
  const Lines l = lines(request.input(0).shape(), request.attributes().get<int64_t>("axis"));
  const bool descending = request.attributes().get<bool>("descending");
  const Operand key = request.input(0);
  std::vector<std::pair<Operand, Operand>> carried;
  for (size_t i = 0; i < request.inputs(); ++i)
    if (request.output(i)) carried.emplace_back(request.input(i), request.output(i));
  const int scratch = request.scratch();
  const auto sort = with_storage(key.type.dtype, []<class S>(CellOf<S>) {
    return +[](const void* x, int64_t start, const Lines& l, bool descending, int64_t* order) {
      sort_line(static_cast<const S*>(x) + start, l, descending, order);
    };
  });
  return function_kernel(
      [=, carried = std::move(carried)](void* const* buffers) {
        if (l.size == 0) return;  // no elements, and then no scratch
        parallel_tasks(l.count, l.count * l.size * 16, [&](int64_t line) {
          int64_t* order = static_cast<int64_t*>(buffers[scratch]) + line * l.size;
          sort(key.in<const void>(buffers), l.start(line), l, descending, order);
          for (const auto& [x, y] : carried)
            take_line(x.element_bytes(), x.in<const void>(buffers), y.in<void>(buffers), l.start(line), l,
                      order);
        });
      },
      key.elements() * static_cast<int64_t>(sizeof(int64_t)));
}

std::unique_ptr<Kernel> make_arg_reduce(const NodeRequest& request) {
  const Operand x = request.input(0), y = request.output(0);
  const Lines l = lines(x.shape(), request.attributes().get<int64_t>("axis"));
  const bool largest = request.attributes().get<std::string>("kind") == "max";
  const bool last = request.attributes().get<bool>("last"), wide = y.type.dtype == DType::i64;
  const auto arg = with_storage(x.type.dtype, [&]<class S>(CellOf<S>) {
    return +[](const void* from, int64_t start, const Lines& l, bool largest, bool last, bool wide, void* to,
               int64_t at) {
      const S* line = static_cast<const S*>(from) + start;
      if (wide)
        arg_line(line, l, largest, last, static_cast<int64_t*>(to) + at);
      else
        arg_line(line, l, largest, last, static_cast<int32_t*>(to) + at);
    };
  });
  return function_kernel([=](void* const* buffers) {
    parallel_tasks(l.count, l.count * l.size, [&](int64_t line) {
      arg(x.in<const void>(buffers), l.start(line), l, largest, last, wide, y.in<void>(buffers), line);
    });
  });
}

}  // namespace temper::cpu
