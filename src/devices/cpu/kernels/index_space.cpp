#include "devices/cpu/kernels/index_space.h"

#include <algorithm>

namespace temper::cpu {

namespace {

bool contains(const Ints& list, int64_t x) { return std::find(list.begin(), list.end(), x) != list.end(); }

int64_t walk(int64_t number, const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides) {
  int64_t at = 0;
  for (size_t i = sizes.size(); i-- > 0; number /= sizes[i]) at += number % sizes[i] * strides[i];
  return at;
}

}  // namespace

int64_t IndexSpace::window_elements() const {
  int64_t count = 1;
  for (int64_t size : window_sizes) count *= size;
  return count;
}

int64_t IndexSpace::window_offset(int64_t number) const { return walk(number, batch_sizes, batch_strides); }
int64_t IndexSpace::index_offset(int64_t number) const { return walk(number, batch_sizes, index_strides); }

IndexSpace index_space(const Operand& operand, const Operand& indices, const Operand& windows,
                       const IndexAxes& axes, const Ints& window_sizes) {
  IndexSpace space;
  space.read = index_reader(indices.type.dtype);
  const Ints in_operand = operand.along(), in_indices = indices.along(), in_windows = windows.along();
  Ints index_axes;
  for (int i = 0; i < indices.shape().rank(); ++i)
    if (i != axes.index_vector_dim) index_axes.push_back(i);
  if (axes.index_vector_dim < indices.shape().rank())
    space.component_stride = in_indices[static_cast<size_t>(axes.index_vector_dim)];
  size_t batch = 0, inside = 0;
  Ints operand_axes;  // those windows have
  for (int i = 0; i < operand.shape().rank(); ++i)
    if (!contains(axes.dropped, i)) operand_axes.push_back(i);
  for (int i = 0; i < windows.shape().rank(); ++i) {
    const int64_t stride = in_windows[static_cast<size_t>(i)];
    if (contains(axes.window_axes, i)) {
      const auto axis = static_cast<size_t>(operand_axes[inside++]);
      space.window_sizes.push_back(windows.shape().size(i));
      space.window_operand_strides.push_back(in_operand[axis]);
      space.window_strides.push_back(stride);
    } else {
      const auto axis = static_cast<size_t>(index_axes[batch++]);
      space.batch_sizes.push_back(windows.shape().size(i));
      space.batch_strides.push_back(stride);
      space.index_strides.push_back(in_indices[axis]);
      space.starts *= windows.shape().size(i);
    }
  }
  for (int64_t axis : axes.component_axes) {
    space.component_axes_strides.push_back(in_operand[static_cast<size_t>(axis)]);
    space.component_sizes.push_back(operand.shape().size(static_cast<int>(axis)));
    space.component_windows.push_back(window_sizes[static_cast<size_t>(axis)]);
  }
  return space;
}

}  // namespace temper::cpu
