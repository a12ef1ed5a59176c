#pragma once
// Random words as graph ops. Keys are u32[2]; base/philox.h is the same arithmetic on the host.
#include <array>

#include "ops/composites.h"

namespace temper::ops {

// Four u32 words per element of `counter`, whose parts have one shape.
std::array<Value, 4> philox(Builder& b, const std::array<Value, 4>& counter, Value key);

}  // namespace temper::ops
