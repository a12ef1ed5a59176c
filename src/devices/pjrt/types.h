#pragma once
// Element types in XLA's words.
#include <string>

#include "devices/pjrt/api.h"
#include "temper/shape.h"

namespace temper::pjrt {

// False for packed types, whose bytes XLA wants one element each, and for those that plug-ins of the
// supported age do not know.
bool is_known(DType dtype);
std::string_view element_name(DType dtype);  // "f32", "ui8", "i1"
BufferType buffer_type(DType dtype);

std::string type_text(const Type& type);  // "tensor<2x3xf32>"

}  // namespace temper::pjrt
