#pragma once
// Tensors over bytes that a file brought.
#include <memory>
#include <string>
#include <vector>

#include "temper/tensor.h"

namespace temper {

// A read-only view that keeps `owner` alive; small or misaligned bytes are copied. `data` holds
// byte_size(type).
Tensor borrow(const Type& type, const void* data, std::shared_ptr<void> owner);

Tensor copy_bytes(const Type& type, const void* data);

// Sizes as a Shape. Error corrupt "`what`: ..." if one is negative or they multiply to more than 2^60.
Shape checked_shape(const std::vector<int64_t>& sizes, const std::string& what);

// Truth values as 0 and 1, whatever a file had.
void make_boolean(Tensor& tensor);

}  // namespace temper
