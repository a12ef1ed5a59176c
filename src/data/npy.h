#pragma once
// NumPy's .npy files, versions 1 to 3. Format: numpy.lib.format.
#include <cstddef>
#include <span>
#include <string>

#include "base/file.h"
#include "temper/tensor.h"

namespace temper {

// All numeric types but complex ones; big-endian and Fortran order become ours. Errors corrupt, unsupported.
Tensor parse_npy(std::span<const std::byte> bytes);
Tensor read_npy(const std::string& path);  // errors name the file

// What NumPy lacks is widened: bf16 and the small floats to f32, 2- and 4-bit integers to 8 bits.
std::string npy_bytes(const Tensor& tensor);
void write_npy(const std::string& path, const Tensor& tensor);

}  // namespace temper
