// Folds of many elements into one, and sort.
#include <numeric>

#include "base/check.h"
#include "devices/pjrt/writer.h"
#include "ops/array.h"
#include "ops/reduction.h"

namespace temper::pjrt {

namespace {

using Operands = std::span<const Printed>;

std::string_view folding_op(std::string_view kind) {
  if (kind == "sum") return "add";
  if (kind == "prod") return "multiply";
  if (kind == "max") return "maximum";
  if (kind == "min") return "minimum";
  return kind;  // and, or
}

// How `kind` folds elements of `dtype`: sums and products of 16-bit floats in f32, which XLA rounds after
// each step.
struct Fold {
  DType dtype;
  Printed neutral;
  std::string region;
};

Fold fold_of(Writer& w, const Node& node, DType dtype) {
  const std::string_view kind = node.attributes.get<std::string>("kind");
  const bool wide = is_float(dtype) && bit_width(dtype) < 32 && (kind == "sum" || kind == "prod");
  const Type element{wide ? DType::f32 : dtype, {}};
  return {element.dtype, w.constant(to_tensor(neutral_array(reduction(kind), element))),
          w.region({element, element}, [&](const PrintedList& in) -> PrintedList {
            if (kind == "max" || kind == "min") return {w.extreme(folding_op(kind), in[0], in[1])};
            return {w.emit(folding_op(kind), in, element)};
          })};
}

PrintedList print_reduce(Writer& w, const Node& node, Operands x) {
  const Type& type = node.outputs[0];
  const Fold fold = fold_of(w, node, type.dtype);
  const Printed result =
      w.emit("reduce", {w.convert(x[0], fold.dtype), fold.neutral}, {fold.dtype, type.shape},
             concat("dimensions = ", array_text(node.attributes.get<Ints>("axes"))), {&fold.region, 1});
  return {w.convert(result, type.dtype)};
}

PrintedList print_reduce_window(Writer& w, const Node& node, Operands x) {
  const Type& type = node.outputs[0];
  if (type.shape.rank() == 0) return {x[0]};
  const Attributes& a = node.attributes;
  const Fold fold = fold_of(w, node, type.dtype);
  const Ints ones(static_cast<size_t>(type.shape.rank()), 1);
  const Printed result =
      w.emit("reduce_window", {w.convert(x[0], fold.dtype), fold.neutral}, {fold.dtype, type.shape},
             concat("window_dimensions = ", array_text(a.get<Ints>("window")), ", window_strides = ",
                    array_text(a.get<Ints>("strides")), ", base_dilations = ", array_text(ones),
                    ", window_dilations = ", array_text(a.get<Ints>("dilations")),
                    ", padding = ", pairs_text(a.get<Ints>("low"), a.get<Ints>("high"))),
             {&fold.region, 1});
  return {w.convert(result, type.dtype)};
}

PrintedList print_all_reduce(Writer& w, const Node& node, Operands x) {
  const Type element{x[0].type.dtype, {}};
  const std::string region = w.region({element, element}, [&](const PrintedList& in) -> PrintedList {
    return {w.emit(folding_op(node.attributes.get<std::string>("kind")), in, element)};
  });
  Ints group(static_cast<size_t>(node.attributes.get_or<int64_t>("replicas", 1)));
  std::iota(group.begin(), group.end(), int64_t{0});
  const std::string groups =
      concat("replica_groups = dense<[[", join(group, ", "), "]]> : tensor<1x", group.size(), "xi64>");
  return {w.emit("all_reduce", x, node.outputs[0], groups, {&region, 1})};
}

Printed is_nan(Writer& w, const Printed& x) { return w.compare(x, x, "NE"); }
Printed both(Writer& w, const Printed& x, const Printed& y) { return w.emit("and", {x, y}, x.type); }
Printed either(Writer& w, const Printed& x, const Printed& y) { return w.emit("or", {x, y}, x.type); }
Printed negation(Writer& w, const Printed& x) { return w.emit("not", {x}, x.type); }

// Of two elements with their places, whether the first is the better: NaN beats all; of equals, the one that
// stands first, or last.
Printed beats(Writer& w, const PrintedList& in, bool largest, bool last) {
  const Printed &x = in[0], &x_place = in[1], &y = in[2], &y_place = in[3];
  Printed wins = w.compare(x, y, largest ? "GT" : "LT"), equals = w.compare(x, y, "EQ");
  if (is_float(x.type.dtype)) {
    const Printed x_nan = is_nan(w, x), y_nan = is_nan(w, y);
    wins = either(w, wins, both(w, x_nan, negation(w, y_nan)));
    equals = either(w, equals, both(w, x_nan, y_nan));
  }
  return either(w, wins, both(w, equals, w.compare(x_place, y_place, last ? "GT" : "LT")));
}

PrintedList print_arg_reduce(Writer& w, const Node& node, Operands operands) {
  const Attributes& a = node.attributes;
  const std::string_view kind = a.get<std::string>("kind");
  const bool last = a.get<bool>("last");
  const Type& type = node.outputs[0];
  const auto axis = a.get<int64_t>("axis");
  const Printed x =
      operands[0].type.dtype == DType::boolean ? w.convert(operands[0], DType::u8) : operands[0];
  const Printed place =
      w.emit("iota", {}, {type.dtype, x.type.shape}, concat("iota_dimension = ", axis, " : i64"));
  // The neutral element stands where it loses to its equals.
  const Printed worst = w.constant(to_tensor(neutral_array(reduction(kind), {x.type.dtype, {}})));
  const Printed nowhere = w.scalar(type.dtype, last ? -1 : static_cast<double>(INT32_MAX));
  const Type element{x.type.dtype, {}}, index{type.dtype, {}};
  const std::string region =
      w.region({element, index, element, index}, [&](const PrintedList& in) -> PrintedList {
        const Printed first = beats(w, in, kind == "max", last);
        return {w.select(first, in[0], in[2]), w.select(first, in[1], in[3])};
      });
  const PrintedList both_operands{x, place, worst, nowhere};
  return {w.emit_all("reduce", both_operands, {{x.type.dtype, type.shape}, type},
                     concat("dimensions = array<i64: ", axis, ">"), {&region, 1})[1]};
}

PrintedList print_sort(Writer& w, const Node& node, Operands x) {
  const bool descending = node.attributes.get<bool>("descending");
  std::vector<Type> elements;
  for (const Printed& operand : x) elements.insert(elements.end(), 2, {operand.type.dtype, {}});
  const std::string region = w.region(elements, [&](const PrintedList& in) -> PrintedList {
    Printed before = w.compare(in[0], in[1], descending ? "GT" : "LT");
    if (is_float(in[0].type.dtype)) {
      const Printed first_nan = is_nan(w, in[0]), second_nan = is_nan(w, in[1]);
      before = either(w, before, both(w, second_nan, negation(w, first_nan)));
    }
    return {before};
  });
  return w.emit_all("sort", x, node.outputs,
                    concat("dimension = ", node.attributes.get<int64_t>("axis"), " : i64, is_stable = true"),
                    {&region, 1});
}

constexpr Printer kPrinters[] = {
    {"reduce", print_reduce},
    {"reduce_window", print_reduce_window},
    {"all_reduce", print_all_reduce},
    {"arg_reduce", print_arg_reduce},
    {"sort", print_sort},
};

}  // namespace

std::span<const Printer> reduce_printers() { return kPrinters; }

}  // namespace temper::pjrt
