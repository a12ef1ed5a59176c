// Products and convolutions, at the highest precision that the hardware has for their dtype.
#include "base/check.h"
#include "devices/pjrt/writer.h"
#include "ops/conv_general.h"

namespace temper::pjrt {

namespace {

using Operands = std::span<const Printed>;

constexpr std::string_view kPrecision =
    "precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]";

PrintedList print_dot(Writer& w, const Node& node, Operands x) {
  const auto axes = [&](std::string_view name, std::string_view attribute) {
    return concat(name, " = [", join(node.attributes.get<Ints>(attribute), ", "), "]");
  };
  return {w.emit("dot_general", x, node.outputs[0],
                 concat("dot_dimension_numbers = #stablehlo.dot<", axes("lhs_batching_dimensions", "x_batch"),
                        ", ", axes("rhs_batching_dimensions", "y_batch"), ", ",
                        axes("lhs_contracting_dimensions", "x_contract"), ", ",
                        axes("rhs_contracting_dimensions", "y_contract"), ">, ", kPrecision))};
}

// "[b, f, 0, 1]"
std::string order_text(char first, char second, size_t spatial) {
  std::string text = concat("[", first, ", ", second);
  for (size_t i = 0; i < spatial; ++i) text += concat(", ", i);
  return text + "]";
}

PrintedList print_conv(Writer& w, const Node& node, Operands x) {
  const ops::ConvDims dims = conv_dims(node.attributes);
  const size_t spatial = dims.strides.size();
  std::vector<std::string> reversal(spatial, "false");
  return {w.emit(
      "convolution", x, node.outputs[0],
      concat(
          "window_strides = ", array_text(dims.strides), ", padding = ", pairs_text(dims.low, dims.high),
          ", lhs_dilation = ", array_text(dims.x_dilation), ", rhs_dilation = ", array_text(dims.w_dilation),
          ", window_reversal = array<i1: ", join(reversal, ", "), ">, dimension_numbers = #stablehlo.conv<",
          order_text('b', 'f', spatial), "x", order_text('o', 'i', spatial), "->",
          order_text('b', 'f', spatial), ">, batch_group_count = ", dims.batch_groups,
          " : i64, feature_group_count = ", dims.groups, " : i64, ", kPrecision))};
}

constexpr Printer kPrinters[] = {{"dot_general", print_dot}, {"conv_general", print_conv}};

}  // namespace

std::span<const Printer> contraction_printers() { return kPrinters; }

}  // namespace temper::pjrt
