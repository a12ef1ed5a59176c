#pragma once
// Tape operations and reductions by the names that ops and attributes give them.
#include <optional>
#include <string_view>

#include "codegen/tape.h"

namespace temper {

std::string_view to_string(TapeOp op);
std::string_view to_string(ReduceKind kind);
std::optional<TapeOp> tape_op(std::string_view name);  // an op, or a direction of compare
ReduceKind reduce_kind(std::string_view name);         // internal error if unknown

}  // namespace temper
