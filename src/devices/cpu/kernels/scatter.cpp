// Scatter. Updates of one place are applied in order by one thread, so the result does not depend on the
// team.
#include <algorithm>
#include <cstring>

#include "devices/cpu/kernels/block.h"
#include "devices/cpu/kernels/index_space.h"
#include "devices/cpu/kernels/parallel.h"
#include "devices/cpu/kernels/strided_copy.h"

namespace temper::cpu {

namespace {

// clang-format off
struct Set { template <class T> static T apply(T, T y) { return y; } };
struct Add { template <class T> static T apply(T x, T y) { if constexpr (std::is_integral_v<T>) return static_cast<T>(static_cast<uint64_t>(x) + static_cast<uint64_t>(y)); else return x + y; } };
struct Mul { template <class T> static T apply(T x, T y) { if constexpr (std::is_integral_v<T>) return static_cast<T>(static_cast<uint64_t>(x) * static_cast<uint64_t>(y)); else return x * y; } };
struct Max { template <class T> static T apply(T x, T y) { return x != x ? x : x > y ? x : y; } };
struct Min { template <class T> static T apply(T x, T y) { return x != x ? x : x < y ? x : y; } };
// clang-format on

struct Scatter {
  Operand x, indices, updates, y;
  IndexSpace space;
  bool separate = true;  // windows with unequal starts never overlap
};

// Where a window's first element lands in the operand; negative if the window does not fit as a whole.
int64_t landing(const Scatter& s, const void* indices, int64_t number) {
  const IndexSpace& space = s.space;
  const int64_t at = space.index_offset(number);
  int64_t base = 0;
  for (size_t k = 0; k < space.component_sizes.size(); ++k) {
    const int64_t start = space.read(indices, at + static_cast<int64_t>(k) * space.component_stride);
    if (start < 0 || start > space.component_sizes[k] - space.component_windows[k]) return -1;
    base += start * space.component_axes_strides[k];
  }
  return base;
}

template <class S, class F>
void apply_window(const IndexSpace& space, const S* updates, S* target) {
  const size_t rank = space.window_sizes.size();
  const int64_t inner = rank == 0 ? 1 : space.window_sizes[rank - 1];
  const int64_t from_step = rank == 0 ? 0 : space.window_strides[rank - 1];
  const int64_t to_step = rank == 0 ? 0 : space.window_operand_strides[rank - 1];
  const int64_t count = space.window_elements();
  for (int64_t row = 0; row < count; row += inner) {
    int64_t rest = row / inner, from = 0, to = 0;
    for (size_t i = rank == 0 ? 0 : rank - 1; i-- > 0; rest /= space.window_sizes[i]) {
      from += rest % space.window_sizes[i] * space.window_strides[i];
      to += rest % space.window_sizes[i] * space.window_operand_strides[i];
    }
    for (int64_t i = 0; i < inner; ++i) {
      S& y = target[to + i * to_step];
      y.set(F::apply(y.get(), updates[from + i * from_step].get()));
    }
  }
}

template <class S, class F>
void run_updates(const Scatter& s, void* const* buffers) {
  const auto* updates = s.updates.in<const S>(buffers);
  auto* target = s.y.in<S>(buffers);
  const void* indices = s.indices.in<const void>(buffers);
  const auto share = [&](uint64_t member, uint64_t team) {
    for (int64_t number = 0; number < s.space.starts; ++number) {
      const int64_t base = landing(s, indices, number);
      // a place's number, scrambled so that equal strides do not all fall to one thread
      const uint64_t place = static_cast<uint64_t>(base) * 0x9e3779b97f4a7c15u >> 33;
      if (base < 0 || (team > 1 && place % team != member)) continue;
      apply_window<S, F>(s.space, updates + s.space.window_offset(number), target + base);
    }
  };
  if (!s.separate || s.updates.elements() < 16384) return share(0, 1);
#pragma omp parallel
  share(static_cast<uint64_t>(omp_get_thread_num()), static_cast<uint64_t>(omp_get_num_threads()));
}

using RunUpdates = void (*)(const Scatter&, void* const*);

template <class S>
RunUpdates find_updates(std::string_view kind) {
  if (kind == "set") return run_updates<S, Set>;
  if (kind == "add") return run_updates<S, Add>;
  if (kind == "mul") return run_updates<S, Mul>;
  if (kind == "max") return run_updates<S, Max>;
  TEMPER_CHECK(kind == "min", kind);
  return run_updates<S, Min>;
}

}  // namespace

std::unique_ptr<Kernel> make_scatter(const NodeRequest& request) {
  Scatter s{.x = request.input(0),
            .indices = request.input(1),
            .updates = request.input(2),
            .y = request.output(0)};
  const Attributes& a = request.attributes();
  const IndexAxes axes{a.get<Ints>("update_window_dims"), a.get<Ints>("inserted_window_dims"),
                       a.get<Ints>("scatter_dims_to_operand_dims"), a.get<int64_t>("index_vector_dim")};
  Ints sizes(static_cast<size_t>(s.x.shape().rank()), 1);
  for (size_t axis = 0, inside = 0; axis < sizes.size(); ++axis) {
    const auto& dropped = axes.dropped;
    if (std::find(dropped.begin(), dropped.end(), static_cast<int64_t>(axis)) == dropped.end())
      sizes[axis] = s.updates.shape().size(static_cast<int>(axes.window_axes[inside++]));
  }
  s.space = index_space(s.y, s.indices, s.updates, axes, sizes);
  for (int64_t axis : axes.component_axes) s.separate = s.separate && sizes[static_cast<size_t>(axis)] == 1;
  const StridedCopy copy(s.x.shape().sizes(), s.x.along(), s.y.along(), s.y.element_bytes());
  const RunUpdates updates = with_storage(
      s.y.type.dtype, [&]<class S>(CellOf<S>) { return find_updates<S>(a.get<std::string>("kind")); });
  return function_kernel([=, s = std::move(s)](void* const* buffers) {
    if (s.x.in<void>(buffers) != s.y.in<void>(buffers))
      copy.run(s.x.in<const void>(buffers), s.y.in<void>(buffers));
    updates(s, buffers);
  });
}

}  // namespace temper::cpu
