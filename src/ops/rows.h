#pragma once
// The rows of ops.def by name: `softmax_op`. Each is defined in the file of its family.
#include "ir/op.h"

namespace temper {
#define OP(name) extern const Op name##_op;
#include "ops/ops.def"
#undef OP
}  // namespace temper
