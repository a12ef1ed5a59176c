#pragma once
// Graph to Graph, before clusters are made.
#include "ir/graph.h"

namespace temper::cpu {

Graph inline_calls(const Graph& graph);  // a `call` becomes its body

// Where oneDNN has no kernels for bf16, contractions of it run in f32 between converts.
Graph widen_contractions(const Graph& graph);

// x > c is max(x, c) > c, and likewise for min: a gradient that asks for the side of a bound then reads the
// result, which lives on anyway, and x can end inside the kernel that makes it.
Graph compare_results(const Graph& graph);

// A number that multiplies what only matrix products read multiplies their results instead, where it costs
// nothing: (c x) y is c (x y).
Graph scale_results(const Graph& graph);

// Quantised values that are only dequantised again become unsigned: what q - zero is does not change, and
// products of integers want one operand unsigned.
Graph unsigned_integers(const Graph& graph);

// Moves and maxima between a dequantize and a quantize of the same scale and zero point run on the integers.
Graph move_integers(const Graph& graph);

// A training step's large pictures go through it in parts that stay in a cache.
Graph batches_in_parts(const Graph& graph);

}  // namespace temper::cpu
