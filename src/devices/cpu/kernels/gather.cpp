// Gather, and embedding, which is a gather of rows.
#include <cstring>

#include "devices/cpu/kernels/index_space.h"
#include "devices/cpu/kernels/parallel.h"
#include "devices/cpu/kernels/strided_copy.h"

namespace temper::cpu {

namespace {

std::unique_ptr<Kernel> gather_kernel(const Operand& x, const Operand& indices, const Operand& y,
                                      IndexSpace space) {
  const int64_t bytes = y.element_bytes();
  const StridedCopy window(space.window_sizes, space.window_operand_strides, space.window_strides, bytes);
  const bool dense = space.window_operand_strides == dense_strides(space.window_sizes) &&
                     space.window_strides == dense_strides(space.window_sizes);
  const int64_t row = space.window_elements() * bytes;
  return function_kernel([=, space = std::move(space)](void* const* buffers) {
    const void* index = indices.in<const void>(buffers);
    const auto gather = [&](int64_t number) {
      const int64_t at = space.index_offset(number);
      int64_t from = 0;
      for (size_t k = 0; k < space.component_sizes.size(); ++k) {
        const int64_t start = space.read(index, at + static_cast<int64_t>(k) * space.component_stride);
        from += std::clamp<int64_t>(start, 0, space.component_sizes[k] - space.component_windows[k]) *
                space.component_axes_strides[k];
      }
      const auto* source = x.in<const std::byte>(buffers) + from * bytes;
      auto* target = y.in<std::byte>(buffers) + space.window_offset(number) * bytes;
      if (dense)
        std::memcpy(target, source, static_cast<size_t>(row));
      else
        window.run(source, target);
    };
    if (row == 0) return;
    if (space.starts == 1) return gather(0);  // the copy itself may use the team
    parallel_tasks(space.starts, space.starts * (space.window_elements() + 4), gather);
  });
}

}  // namespace

std::unique_ptr<Kernel> make_gather(const NodeRequest& request) {
  const Operand x = request.input(0), indices = request.input(1), y = request.output(0);
  const Attributes& a = request.attributes();
  Ints sizes = a.get<Ints>("slice_sizes");
  for (size_t i = 0; i < sizes.size(); ++i)
    if (sizes[i] < 0) sizes[i] = x.shape().size(static_cast<int>(i));
  const IndexAxes axes{a.get<Ints>("offset_dims"), a.get<Ints>("collapsed_slice_dims"),
                       a.get<Ints>("start_index_map"), a.get<int64_t>("index_vector_dim")};
  return gather_kernel(x, indices, y, index_space(x, indices, y, axes, sizes));
}

std::unique_ptr<Kernel> make_embedding(const NodeRequest& request) {
  const Operand table = request.input(0), ids = request.input(1), y = request.output(0);
  const int64_t rank = ids.shape().rank();
  const IndexAxes axes{{rank}, {0}, {0}, rank};
  return gather_kernel(table, ids, y, index_space(table, ids, y, axes, {1, table.shape().size(1)}));
}

}  // namespace temper::cpu
