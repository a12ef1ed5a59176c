#pragma once
// Transposes small tiles.
#include <cstdint>

namespace temper::cpu {

// to[r, c] = from[c, r] for rows x columns of `to`; steps between rows, in elements.
void transpose_tile(const uint32_t* from, int64_t from_step, uint32_t* to, int64_t to_step, int64_t rows,
                    int64_t columns);

template <class T>
void transpose_tile(const T* from, int64_t from_step, T* to, int64_t to_step, int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) to[r * to_step + c] = from[c * from_step + r];
}

}  // namespace temper::cpu
