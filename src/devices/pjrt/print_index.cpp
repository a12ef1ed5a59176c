// Reads and writes at places that are values.
#include "base/check.h"
#include "devices/pjrt/writer.h"

namespace temper::pjrt {

namespace {

using Operands = std::span<const Printed>;

// "name = [1, 2], ", or nothing for no axes.
std::string axes_text(std::string_view name, const Ints& axes) {
  return axes.empty() ? "" : concat(name, " = [", join(axes, ", "), "], ");
}

PrintedList print_gather(Writer& w, const Node& node, Operands x) {
  const Attributes& a = node.attributes;
  Ints sizes = a.get<Ints>("slice_sizes");
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] < 0) sizes[i] = x[0].type.shape.size(static_cast<int>(i));
  }
  return {w.emit(
      "gather", x, node.outputs[0],
      concat("dimension_numbers = #stablehlo.gather<", axes_text("offset_dims", a.get<Ints>("offset_dims")),
             axes_text("collapsed_slice_dims", a.get<Ints>("collapsed_slice_dims")),
             axes_text("start_index_map", a.get<Ints>("start_index_map")),
             "index_vector_dim = ", a.get<int64_t>("index_vector_dim"),
             ">, slice_sizes = ", array_text(sizes), ", indices_are_sorted = false"))};
}

PrintedList print_scatter(Writer& w, const Node& node, Operands x) {
  const Attributes& a = node.attributes;
  const std::string_view kind = a.get<std::string>("kind");
  const Type element{x[0].type.dtype, {}};
  const std::string update = w.region({element, element}, [&](const PrintedList& in) -> PrintedList {
    if (kind == "set") return {in[1]};
    return {w.emit(kind == "add"   ? "add"
                   : kind == "mul" ? "multiply"
                   : kind == "max" ? "maximum"
                                   : "minimum",
                   in, element)};
  });
  return {
      w.emit("scatter", x, node.outputs[0],
             concat("scatter_dimension_numbers = #stablehlo.scatter<",
                    axes_text("update_window_dims", a.get<Ints>("update_window_dims")),
                    axes_text("inserted_window_dims", a.get<Ints>("inserted_window_dims")),
                    axes_text("scatter_dims_to_operand_dims", a.get<Ints>("scatter_dims_to_operand_dims")),
                    "index_vector_dim = ", a.get<int64_t>("index_vector_dim"),
                    ">, indices_are_sorted = false, unique_indices = false"),
             {&update, 1})};
}

// A vector of places as scalars.
PrintedList places(Writer& w, const Printed& starts) {
  PrintedList scalars;
  const Type one{starts.type.dtype, {1}}, scalar{starts.type.dtype, {}};
  for (int64_t i = 0; i < starts.type.shape.size(0); ++i) {
    const Printed part =
        w.emit("slice", {starts}, one,
               concat("start_indices = array<i64: ", i, ">, limit_indices = array<i64: ", i + 1,
                      ">, strides = array<i64: 1>"));
    scalars.push_back(w.emit("reshape", {part}, scalar));
  }
  return scalars;
}

PrintedList print_dynamic_slice(Writer& w, const Node& node, Operands x) {
  if (x[0].type.shape.rank() == 0) return {x[0]};
  PrintedList operands = places(w, x[1]);
  operands.insert(operands.begin(), x[0]);
  return {w.emit("dynamic_slice", operands, node.outputs[0],
                 concat("slice_sizes = ", array_text(node.outputs[0].shape.sizes())))};
}

PrintedList print_dynamic_update_slice(Writer& w, const Node& node, Operands x) {
  if (x[0].type.shape.rank() == 0) return {x[1]};
  PrintedList operands = places(w, x[2]);
  operands.insert(operands.begin(), {x[0], x[1]});
  return {w.emit("dynamic_update_slice", operands, node.outputs[0])};
}

constexpr Printer kPrinters[] = {
    {"gather", print_gather},
    {"scatter", print_scatter},
    {"dynamic_slice", print_dynamic_slice},
    {"dynamic_update_slice", print_dynamic_update_slice},
};

}  // namespace

std::span<const Printer> index_printers() { return kPrinters; }

}  // namespace temper::pjrt
