#pragma once
// The rows of ops.def by name: `softmax_op`. Each is defined in the file of its family.
#include "ir/op.h"

namespace temper {
#define OP(name) extern const Op name##_op;
#include "ops/ops.def"
#undef OP
extern const Op conv2d_op, conv_input_grad_op, conv_weight_grad_op, max_pool_op, max_pool_grad_op, avg_pool_op,
    avg_pool_grad_op, embedding_op, resize_op;
}  // namespace temper
