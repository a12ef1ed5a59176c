#pragma once
// Functions over blocks of elements: the instructions of a tape, its loads, stores and folds.
#include "codegen/tape.h"

namespace temper::cpu {

// b, c are null where the operation has fewer operands; out may be one of them. No alignment is needed.
using BlockFunction = void (*)(const void* a, const void* b, const void* c, void* out, int64_t n);

// The type of a value inside a tape: 16-bit floats are widened to f32.
constexpr DType cell(DType dtype) { return dtype == DType::f16 || dtype == DType::bf16 ? DType::f32 : dtype; }
constexpr int64_t cell_size(DType dtype) {  // bytes
  return dtype == DType::boolean || dtype == DType::i8 || dtype == DType::u8 ? 1
         : dtype == DType::i16 || dtype == DType::u16                        ? 2
         : dtype == DType::i64 || dtype == DType::u64 || dtype == DType::f64 ? 8
                                                                             : 4;
}

// Over cells; a result in f16 or bf16 is not rounded except by convert. Null if there is no such instruction.
// uniform: bit k says that operand k is one number all over the block.
BlockFunction block_function(TapeOp op, DType type, DType result, int uniform = 0);

// From memory to cells and back: widen, round, or copy. Only `a` and `out` are used.
BlockFunction load_function(DType dtype);
BlockFunction store_function(DType dtype);

// Accumulators are as wide as keeps the result exact or nearly so: f64 for sum and prod of floats, else 64
// bits.
union Accumulator {
  double real;
  int64_t integer;
  uint64_t bits;
};
// into[i] = into[i] op the reduction of row i (columns false), or into[j] op that of column j, of x: [rows,
// columns].
using FoldFunction = void (*)(const void* x, int64_t rows, int64_t columns, bool by_column,
                              Accumulator* into);
struct Fold {
  Accumulator neutral;
  FoldFunction fold;  // x: cells of the dtype
  void (*combine)(Accumulator* into, const Accumulator* from, int64_t n);
  void (*finish)(const Accumulator* from, void* out);  // one element, in storage form
};
Fold fold_function(ReduceKind kind, DType dtype);

// Parts of the above that are compiled for several instruction sets; f32 cells.
BlockFunction simd_f32(TapeOp op, int uniform = 0);  // null if there is none
BlockFunction simd_bytes(DType from, DType to);      // convert; one is f32, the other u8 or i8
BlockFunction simd_load(DType dtype);                // f16, bf16
BlockFunction simd_store(DType dtype);
struct SimdFolds {
  double (*sum)(const float* x, int64_t n);
  float (*max)(const float* x, int64_t n);  // NaN if any is; n > 0
  float (*min)(const float* x, int64_t n);
  void (*add_columns)(const float* x, int64_t rows, int64_t columns,
                      double* into);  // rows: up to a few hundred
};
const SimdFolds& simd_folds();

}  // namespace temper::cpu
