#pragma once
// A tape as one kernel in C-like source.
#include "codegen/kernel_writer.h"
#include "codegen/tape.h"

namespace temper {

// Whether every type in the tape can be written in C-like source; `f64`: whether there is one.
bool has_text(const Tape& tape, bool f64);

// Operands: the cluster's inputs in their order, of `dtypes`; then one per result. Reduced results are added
// up in an order that depends on the tape alone.
KernelText tape_kernel(const Tape& tape, std::span<const Type> inputs);

// The value of an instruction whose operands have these names.
std::string instruction_text(const TapeInstruction& instruction, std::span<const std::string> operands);
std::string convert_text(DType from, DType to, std::string_view x);

// How a reduction begins, and one step of it, as computed with.
std::string neutral_text(ReduceKind kind, DType dtype);
std::string fold_text(ReduceKind kind, DType dtype, std::string_view x, std::string_view y);

}  // namespace temper
