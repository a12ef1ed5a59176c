#pragma once
// IDX files, as MNIST has them: a magic number that gives type and rank, sizes, values, big-endian; plain or
// gzip. Format: "The IDX file format", in LeCun, Cortes, Burges: "The MNIST database".
#include <cstddef>
#include <span>
#include <string>

#include "temper/tensor.h"

namespace temper {

// Error corrupt unless the bytes hold exactly the values that the sizes ask for.
Tensor parse_idx(std::span<const std::byte> bytes);
Tensor read_idx(const std::string& path);  // errors name the file

}  // namespace temper
