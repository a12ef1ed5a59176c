#pragma once
// A cluster of map nodes, perhaps with reductions at its end, as a flat program over one iteration space.
// Plain data: a device runs it block by block, each instruction over a whole block.
#include <array>

#include "target/target.h"

namespace temper {

enum class TapeOp : uint8_t {
  // one operand
  abs,
  neg,
  sign,
  exp,
  expm1,
  log,
  log1p,
  sqrt,
  rsqrt,
  sin,
  cos,
  tanh,
  sigmoid,
  erf,
  gelu,        // x P(x), P the normal distribution up to x
  gelu_slope,  // its derivative
  floor,
  ceil,
  round,
  logical_not,
  is_finite,
  convert,
  bitcast,
  // two
  add,
  sub,
  mul,
  div,
  rem,
  pow,
  max,
  min,
  bit_and,
  bit_or,
  bit_xor,
  shift_left,
  shift_right_logical,
  shift_right_arithmetic,
  eq,
  ne,
  lt,
  le,
  gt,
  ge,
  // three
  select,       // a ? b : c
  mul_add,      // a * b + c
  neg_mul_add,  // c - a * b
};

// Where elements come from. Along axis i of the space a tensor moves along its own axis axes[i]; -1: it
// stays.
struct TapeSource {
  enum Kind : uint8_t { tensor, scalar, iota } kind = tensor;
  DType dtype = DType::f32;
  int input = -1;         // tensor: position among the cluster's inputs
  std::vector<int> axes;  // tensor, iota (whose one axis is 0)
  double real = 0;        // scalar of a float dtype
  int64_t integer = 0;    // scalar of another dtype; u64 by its bits
};

// Value number `sources.size() + i` is the result of instruction i. f16 and bf16 may be computed in f32 and
// rounded where they are stored or converted.
struct TapeInstruction {
  TapeOp op;
  DType type;    // of the operands; select: of the last two
  DType result;  // differs from type for compare, is_finite, convert, bitcast
  std::array<int, 3> operands{-1, -1, -1};
};

enum class ReduceKind : uint8_t { sum, prod, max, min, logical_and, logical_or };

struct TapeResult {
  int value = -1;
  DType dtype = DType::f32;
  bool reduced = false;  // else it fills the space
  ReduceKind kind = ReduceKind::sum;
};

struct Tape {
  Ints space;  // sizes of the axes; shape of every full result
  std::vector<TapeSource> sources;
  std::vector<TapeInstruction> code;
  std::vector<TapeResult> results;  // one per output of the cluster
  std::vector<bool> reduced;        // axes that a reduced result lacks; empty if there is none
};

std::string print(const Tape& tape);  // a line per source, instruction and result

// Nodes that may stand in a tape; a reduce may end it.
bool is_map(const Node& node);  // computes each element from the same element of its operands
// Costs nothing inside a tape: broadcast_in_dim, iota, a reshape that adds or drops axes of size 1, a
// constant of one element; dequantize, which costs less than reading what it makes.
bool is_view(const Graph& graph, const Node& node);

// Static shapes. `inputs` are read by the cluster from outside, `outputs` are its results, in this order. All
// full results have one shape, which is the shape reductions read.
Tape lower(const Graph& graph, const Cluster& cluster, std::span<const Value> inputs,
           std::span<const Value> outputs);

}  // namespace temper
