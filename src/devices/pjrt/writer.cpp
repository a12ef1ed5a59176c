#include "devices/pjrt/writer.h"

#include "base/check.h"
#include "ir/op.h"

namespace temper::pjrt {

namespace {

std::string types_text(std::span<const Printed> values) {
  std::vector<std::string> texts;
  for (const Printed& value : values) texts.push_back(type_text(value.type));
  return join(texts, ", ");
}

std::string names_text(std::span<const Printed> values) {
  std::vector<std::string> names;
  for (const Printed& value : values) names.push_back(value.name);
  return join(names, ", ");
}

}  // namespace

void Writer::line(std::string_view text) {
  text_ += std::string(static_cast<size_t>(depth_) * 2, ' ');
  text_ += text;
  text_ += '\n';
}

Printed Writer::fresh(Type type) { return {concat("%", next_++), std::move(type)}; }

PrintedList Writer::emit_all(std::string_view op, std::span<const Printed> operands, std::vector<Type> types,
                             std::string_view attributes, std::span<const std::string> regions) {
  PrintedList results;
  const std::string name = concat("%", next_++);
  for (size_t i = 0; i < types.size(); ++i)
    results.push_back({types.size() == 1 ? name : concat(name, "#", i), std::move(types[i])});
  std::string text =
      results.empty() ? "" : concat(name, results.size() > 1 ? concat(":", results.size()) : "", " = ");
  text += concat("\"stablehlo.", op, "\"(", names_text(operands), ")");
  if (!regions.empty()) text += concat(" (", join(regions, ", "), ")");
  if (!attributes.empty()) text += concat(" {", attributes, "}");
  const std::string given = types_text(results);
  line(concat(text, " : (", types_text(operands), ") -> ",
              results.size() == 1 ? given : concat("(", given, ")")));
  return results;
}

Printed Writer::emit(std::string_view op, std::span<const Printed> operands, const Type& result,
                     std::string_view attributes, std::span<const std::string> regions) {
  return emit_all(op, operands, {result}, attributes, regions)[0];
}

std::string Writer::region(const std::vector<Type>& arguments,
                           const std::function<PrintedList(const PrintedList&)>& body) {
  std::string outside;
  std::swap(outside, text_);
  PrintedList inputs;
  std::vector<std::string> heads;
  for (const Type& type : arguments) {
    inputs.push_back(fresh(type));
    heads.push_back(concat(inputs.back().name, ": ", type_text(type)));
  }
  if (!heads.empty()) line(concat("^bb0(", join(heads, ", "), "):"));
  ++depth_;
  const PrintedList results = body(inputs);
  line(concat("\"stablehlo.return\"(", names_text(results), ") : (", types_text(results), ") -> ()"));
  --depth_;
  std::swap(outside, text_);
  return concat("{\n", outside, std::string(static_cast<size_t>(depth_) * 2, ' '), "}");
}

Printed Writer::convert(const Printed& x, DType dtype) {
  return x.type.dtype == dtype ? x : emit("convert", {x}, {dtype, x.type.shape});
}

Printed Writer::compare(const Printed& x, const Printed& y, std::string_view direction) {
  const DType dtype = x.type.dtype;
  const std::string_view kind = is_float(dtype) ? "FLOAT" : is_signed(dtype) ? "SIGNED" : "UNSIGNED";
  return emit("compare", {x, y}, {DType::boolean, x.type.shape},
              concat("comparison_direction = #stablehlo<comparison_direction ", direction,
                     ">, compare_type = #stablehlo<comparison_type ", kind, ">"));
}

// XLA on processors loses a NaN that stands second.
Printed Writer::extreme(std::string_view op, const Printed& x, const Printed& y) {
  const Printed result = emit(op, {x, y}, x.type);
  return !is_float(x.type.dtype) || y.number ? result : select(compare(y, y, "NE"), y, result);
}

Printed Writer::select(const Printed& predicate, const Printed& on_true, const Printed& on_false) {
  return emit("select", {predicate, on_true, on_false}, on_true.type);
}

PrintedList Writer::graph(const Graph& graph, const PrintedList& arguments) {
  std::map<Value, Printed> values;
  for (size_t i = 0; i < graph.inputs.size(); ++i) values[graph.inputs[i].value] = arguments[i];
  for (int i = 0; i < graph.size(); ++i) {
    const Node& node = graph.nodes()[static_cast<size_t>(i)];
    if (node.op == &input_op) continue;
    PrintedList operands;
    for (const Value input : node.inputs) operands.push_back(values.at(input));
    const Printer* const printer = find_printer(node.op->name);
    TEMPER_CHECK(printer, node.op->name);
    PrintedList results = printer->print(*this, node, operands);
    TEMPER_CHECK(results.size() == node.outputs.size(), node.op->name);
    for (size_t k = 0; k < results.size(); ++k) values[{i, static_cast<int32_t>(k)}] = std::move(results[k]);
  }
  PrintedList outputs;
  for (const Port& output : graph.outputs) outputs.push_back(values.at(output.value));
  return outputs;
}

std::string array_text(const Ints& values) {
  return values.empty() ? "array<i64>" : concat("array<i64: ", join(values, ", "), ">");
}

std::string pairs_text(const Ints& first, const Ints& second) {
  std::vector<std::string> pairs;
  for (size_t i = 0; i < first.size(); ++i) pairs.push_back(concat("[", first[i], ", ", second[i], "]"));
  return concat("dense<", pairs.empty() ? "" : concat("[", join(pairs, ", "), "]"), "> : tensor<",
                first.size(), "x2xi64>");
}

}  // namespace temper::pjrt
