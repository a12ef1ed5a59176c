#pragma once
// Copies a box of elements between two strided places.
#include <array>
#include <cstdint>
#include <vector>

namespace temper::cpu {

class StridedCopy {
 public:
  StridedCopy() = default;
  // Sizes and element strides by axis, any sign; a zero input stride broadcasts. element: 1, 2, 4 or 8 bytes.
  StridedCopy(std::vector<int64_t> sizes, std::vector<int64_t> from_strides, std::vector<int64_t> to_strides,
              int64_t element);

  // `from`, `to`: the box's first elements. On the OpenMP team of the caller.
  void run(const void* from, void* to) const;

 private:
  struct Axis {
    int64_t size, from, to;
  };
  template <class T>
  void run_as(const T* from, T* to) const;
  template <class T>
  void copy_tile(const T* from, T* to, int64_t tile) const;
  int64_t rows() const;

  std::vector<Axis> axes_;  // slowest in the output first; the last is the inner one
  int across_ = -1;         // the axis along which the input is dense, if it is not the inner one
  int64_t element_ = 1, elements_ = 0;
};

// The whole of `sizes`, dense row-major.
std::vector<int64_t> dense_strides(const std::vector<int64_t>& sizes);

}  // namespace temper::cpu
