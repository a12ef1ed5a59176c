// Leaves and moves.
#include "base/check.h"
#include "devices/pjrt/writer.h"
#include "ops/primitives.h"

namespace temper::pjrt {

namespace {

using Operands = std::span<const Printed>;

PrintedList print_constant(Writer& w, const Node& node, Operands) {
  return {w.constant(node.attributes.get<Tensor>("value"))};
}

PrintedList print_iota(Writer& w, const Node& node, Operands) {
  return {w.emit("iota", {}, node.outputs[0],
                 concat("iota_dimension = ", node.attributes.get<int64_t>("axis"), " : i64"))};
}

PrintedList print_reshape(Writer& w, const Node& node, Operands x) {
  return {w.emit("reshape", x, node.outputs[0])};
}

PrintedList print_transpose(Writer& w, const Node& node, Operands x) {
  return {w.emit("transpose", x, node.outputs[0],
                 concat("permutation = ", array_text(node.attributes.get<Ints>("permutation"))))};
}

PrintedList print_broadcast(Writer& w, const Node& node, Operands x) {
  Printed y = w.emit("broadcast_in_dim", x, node.outputs[0],
                     concat("broadcast_dimensions = ", array_text(node.attributes.get<Ints>("axes"))));
  y.number = x[0].number;
  return {y};
}

PrintedList print_slice(Writer& w, const Node& node, Operands x) {
  Ints limits = node.attributes.get<Ints>("limits");
  for (size_t i = 0; i < limits.size(); ++i) {
    if (limits[i] == ops::kEnd) limits[i] = x[0].type.shape.size(static_cast<int>(i));
  }
  return {w.emit("slice", x, node.outputs[0],
                 concat("start_indices = ", array_text(node.attributes.get<Ints>("starts")),
                        ", limit_indices = ", array_text(limits),
                        ", strides = ", array_text(node.attributes.get<Ints>("strides"))))};
}

PrintedList print_pad(Writer& w, const Node& node, Operands x) {
  return {w.emit("pad", x, node.outputs[0],
                 concat("edge_padding_low = ", array_text(node.attributes.get<Ints>("low")),
                        ", edge_padding_high = ", array_text(node.attributes.get<Ints>("high")),
                        ", interior_padding = ", array_text(node.attributes.get<Ints>("interior"))))};
}

PrintedList print_concat(Writer& w, const Node& node, Operands x) {
  return {w.emit("concatenate", x, node.outputs[0],
                 concat("dimension = ", node.attributes.get<int64_t>("axis"), " : i64"))};
}

PrintedList print_reverse(Writer& w, const Node& node, Operands x) {
  return {w.emit("reverse", x, node.outputs[0],
                 concat("dimensions = ", array_text(node.attributes.get<Ints>("axes"))))};
}

constexpr Printer kPrinters[] = {
    {"constant", print_constant}, {"iota", print_iota},
    {"reshape", print_reshape},   {"transpose", print_transpose},
    {"slice", print_slice},       {"broadcast_in_dim", print_broadcast},
    {"pad", print_pad},           {"concat", print_concat},
    {"reverse", print_reverse},
};

}  // namespace

std::span<const Printer> move_printers() { return kPrinters; }

}  // namespace temper::pjrt
