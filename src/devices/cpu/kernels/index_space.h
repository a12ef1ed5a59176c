#pragma once
// How gather and scatter walk: batches of starts, and the window that each start moves.
#include "devices/cpu/kernels/numbers.h"
#include "devices/cpu/kernels/request.h"

namespace temper::cpu {

// Of an operand's window and a result (or update) that holds one window per start.
struct IndexSpace {
  ReadIndex read = nullptr;
  int64_t starts = 1;                           // number of windows
  std::vector<int64_t> batch_sizes;             // of the axes that count them
  std::vector<int64_t> batch_strides;           // in the array of windows
  std::vector<int64_t> index_strides;           // in the array of indices
  int64_t component_stride = 0;                 // between the components of a start
  std::vector<int64_t> component_axes_strides;  // in the operand, by component
  std::vector<int64_t> component_sizes;         // of those operand axes
  std::vector<int64_t> component_windows;       // the window's size along them
  std::vector<int64_t> window_sizes, window_operand_strides,
      window_strides;  // strides in the array of windows

  int64_t window_elements() const;
  // Where window `number` lies in the array of windows.
  int64_t window_offset(int64_t number) const;
  // Where the components of its start stand in the indices.
  int64_t index_offset(int64_t number) const;
};

// windows_shape: of the gathered result or the updates; `window_axes`: those of its axes that run inside a
// window; `dropped`: operand axes that windows do not have; `component_axes`: operand axis of each start
// component.
struct IndexAxes {
  Ints window_axes, dropped, component_axes;
  int64_t index_vector_dim = 0;
};
IndexSpace index_space(const Operand& operand, const Operand& indices, const Operand& windows,
                       const IndexAxes& axes,
                       const Ints& window_sizes);  // by operand axis

}  // namespace temper::cpu
