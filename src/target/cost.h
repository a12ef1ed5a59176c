#pragma once
// What a node costs before anything runs.
#include "ir/graph.h"

namespace temper {

// Floating-point operations; a multiply and an add count as two. Static shapes. Contractions are counted
// exactly, every other op as one operation per element of its largest operand or result, moves and leaves as
// none.
int64_t flops(const Graph& graph, const Node& node);
int64_t flops(const Graph& graph);  // all nodes

// Time for comparing what runs, in floating-point operations: a processor does about 8 while it moves a byte.
double nominal_work(int64_t flops, int64_t bytes);
double nominal_work(const Graph& graph);  // of all nodes, if nothing is fused

// Bytes that a node reads and writes if nothing is fused.
int64_t bytes_moved(const Graph& graph, const Node& node);

}  // namespace temper
