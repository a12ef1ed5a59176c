// Shapes, moves and indices.
#include <algorithm>
#include <array>
#include <climits>
#include <numeric>

#include "formats/onnx/emitter.h"
#include "ops/primitives.h"

namespace temper::onnx {

namespace {

void iota(Emitter& e, const Node& node, Value value) {
  const Shape& shape = e.shape(value);
  const int axis = static_cast<int>(node.attributes.get<int64_t>("axis"));
  constexpr int64_t kMostWritten = 1024;  // numbers that the file spells out
  std::string count;
  if (shape[axis].is_static() && shape.size(axis) <= kMostWritten) {
    std::vector<int64_t> values(static_cast<size_t>(shape.size(axis)));
    std::iota(values.begin(), values.end(), 0);
    count = e.constant(Tensor::from<int64_t>({shape[axis]}, values));
  } else {
    const std::string limit =
        shape[axis].is_static() ? e.integer(shape.size(axis)) : e.add("Squeeze", {e.size(shape[axis])});
    count = e.add("Range", {e.integer(0), limit, e.integer(1)});
  }
  if (e.dtype(value) != DType::i64)
    count = e.add("Cast", {count}, {attribute("to", static_cast<int64_t>(to_number(e.dtype(value))))});
  if (shape.rank() == 1) return e.alias(value, count);
  Ints column(static_cast<size_t>(shape.rank()), 1);
  column[static_cast<size_t>(axis)] = -1;
  e.result(value, "Expand", {e.add("Reshape", {count, e.ints(column)}), e.shape_vector(shape)});
}

void dimension_size(Emitter& e, const Node& node, Value value) {
  const std::string size = e.add(
      "Gather", {e.add("Shape", {e.use(node.inputs[0])}), e.integer(node.attributes.get<int64_t>("axis"))},
      {attribute("axis", int64_t{0})});
  if (e.dtype(value) == DType::i64) return e.alias(value, size);
  e.result(value, "Cast", {size}, {attribute("to", static_cast<int64_t>(to_number(e.dtype(value))))});
}

// sum / count, from reduce_mean; null if it is something else.
const Node* mean_of(const Emitter& e, Value value) {
  const Node* division = e.made_by(value, "div");
  const Node* sum = division ? e.made_by(division->inputs[0], "reduce") : nullptr;
  if (!sum || sum->attributes.get<std::string>("kind") != "sum") return nullptr;
  const Shape& from = e.shape(sum->inputs[0]);
  double count = 1;
  for (const int64_t axis : sum->attributes.get<Ints>("axes")) {
    if (!from[static_cast<int>(axis)].is_static()) return nullptr;
    count *= static_cast<double>(from.size(static_cast<int>(axis)));
  }
  return e.number(division->inputs[1]) == round_to(e.dtype(value), count) ? sum : nullptr;
}

std::string_view reduction_of(const std::string& kind) {
  return kind == "sum"    ? "ReduceSum"
         : kind == "prod" ? "ReduceProd"
         : kind == "max"  ? "ReduceMax"
         : kind == "min"  ? "ReduceMin"
                          : "";
}

// Axes went from attribute to input at 13 for ReduceSum, at 18 for the others.
void reduce_as(Emitter& e, Value value, std::string_view op_type, Value x, const Ints& axes, bool keep) {
  AttributeDefs attributes;
  Names inputs{e.use(x)};
  if (e.opset >= (op_type == "ReduceSum" ? 13 : 18))
    inputs.push_back(e.ints(axes));
  else
    attributes.push_back(attribute("axes", axes));
  attributes.push_back(attribute("keepdims", int64_t{keep}));
  e.result(value, op_type, inputs, attributes);
}

bool keeps_axes(const Shape& from, const Ints& axes, const Shape& to) {
  Shape kept = from;
  for (const int64_t axis : axes) kept[static_cast<int>(axis)] = 1;
  return kept == to;
}

// A reduction whose axes come back as 1.
bool kept_reduction(Emitter& e, const Node& node, Value value) {
  const Value x = node.inputs[0];
  const Node* mean = mean_of(e, x);
  const Node* reduce = mean ? mean : e.made_by(x, "reduce");
  if (!reduce) return false;
  const std::string& kind = reduce->attributes.get<std::string>("kind");
  const Ints& axes = reduce->attributes.get<Ints>("axes");
  const Value from = reduce->inputs[0];
  const std::string_view op_type = mean ? "ReduceMean" : reduction_of(kind);
  if (op_type.empty() || !keeps_axes(e.shape(from), axes, e.shape(value))) return false;
  Ints spatial;
  for (int i = 2; i < e.shape(from).rank(); ++i) spatial.push_back(i);
  if (axes == spatial && !spatial.empty() && (mean || kind == "max"))
    e.result(value, mean ? "GlobalAveragePool" : "GlobalMaxPool", {e.use(from)});
  else
    reduce_as(e, value, op_type, from, axes, true);
  return true;
}

void divide(Emitter& e, const Node& node, Value value) {
  const Node* mean = mean_of(e, value);
  if (!mean) return e.elementwise(value, "Div", node.inputs);
  reduce_as(e, value, "ReduceMean", mean->inputs[0], mean->attributes.get<Ints>("axes"), false);
}

void reduce(Emitter& e, const Node& node, Value value) {
  const std::string& kind = node.attributes.get<std::string>("kind");
  const Ints& axes = node.attributes.get<Ints>("axes");
  if (const std::string_view op_type = reduction_of(kind); !op_type.empty())
    return reduce_as(e, value, op_type, node.inputs[0], axes, false);
  const std::string wide = e.add("Cast", {e.use(node.inputs[0])}, {attribute("to", int64_t{6})});
  AttributeDefs attributes{attribute("keepdims", int64_t{0})};
  Names inputs{wide};
  if (e.opset >= 18)
    inputs.push_back(e.ints(axes));
  else
    attributes.push_back(attribute("axes", axes));
  const std::string reduced = e.add(kind == "or" ? "ReduceMax" : "ReduceMin", inputs, attributes);
  e.result(value, "Cast", {reduced}, {attribute("to", static_cast<int64_t>(to_number(e.dtype(value))))});
}

void arg_reduce(Emitter& e, const Node& node, Value value) {
  const bool maximum = node.attributes.get<std::string>("kind") == "max";
  const AttributeDefs attributes{attribute("axis", node.attributes.get<int64_t>("axis")),
                                 attribute("keepdims", int64_t{0}),
                                 attribute("select_last_index", int64_t{node.attributes.get<bool>("last")})};
  const std::string_view op_type = maximum ? "ArgMax" : "ArgMin";
  if (e.dtype(value) == DType::i64) return e.result(value, op_type, {e.use(node.inputs[0])}, attributes);
  e.result(value, "Cast", {e.add(op_type, {e.use(node.inputs[0])}, attributes)},
           {attribute("to", static_cast<int64_t>(to_number(e.dtype(value))))});
}

void reshape(Emitter& e, const Node& node, Value value) {
  if (kept_reduction(e, node, value)) return;
  const Shape &from = e.shape(node.inputs[0]), &to = e.shape(value);
  if (to.rank() == 2 && from.rank() > 2 && from[0] == to[0])
    return e.result(value, "Flatten", {e.use(node.inputs[0])}, {attribute("axis", int64_t{1})});
  e.alias(value, e.reshaped(node.inputs[0], to));
}

void transpose(Emitter& e, const Node& node, Value value) {
  e.result(value, "Transpose", {e.use(node.inputs[0])},
           {attribute("perm", node.attributes.get<Ints>("permutation"))});
}

void broadcast(Emitter& e, const Node& node, Value value) {
  std::vector<Dim> dims(static_cast<size_t>(e.shape(value).rank()), Dim(1));
  const Ints& axes = node.attributes.get<Ints>("axes");
  for (size_t i = 0; i < axes.size(); ++i)
    dims[static_cast<size_t>(axes[i])] = e.shape(node.inputs[0])[static_cast<int>(i)];
  while (static_cast<int>(dims.size()) > e.shape(node.inputs[0]).rank() && dims.front() == Dim(1))
    dims.erase(dims.begin());
  e.result(value, "Expand",
           {e.reshaped(node.inputs[0], Shape(std::move(dims))), e.shape_vector(e.shape(value))});
}

void slice(Emitter& e, const Node& node, Value value) {
  const Ints &starts = node.attributes.get<Ints>("starts"), &limits = node.attributes.get<Ints>("limits"),
             &strides = node.attributes.get<Ints>("strides");
  Ints from, to, axes, steps;
  for (size_t i = 0; i < starts.size(); ++i) {
    const Dim& dim = e.shape(node.inputs[0])[static_cast<int>(i)];
    const bool whole = starts[i] == 0 && strides[i] == 1 && (limits[i] == ops::kEnd || Dim(limits[i]) == dim);
    if (whole) continue;
    from.push_back(starts[i]);
    to.push_back(limits[i]);
    axes.push_back(static_cast<int64_t>(i));
    steps.push_back(strides[i]);
  }
  if (axes.empty()) return e.alias(value, e.use(node.inputs[0]));
  e.result(value, "Slice", {e.use(node.inputs[0]), e.ints(from), e.ints(to), e.ints(axes), e.ints(steps)});
}

void pad(Emitter& e, const Node& node, Value value) {
  const Ints& interior = node.attributes.get<Ints>("interior");
  if (std::any_of(interior.begin(), interior.end(), [](int64_t gap) { return gap != 0; }))
    e.unsupported("padding between elements");
  Ints pads = node.attributes.get<Ints>("low");
  const Ints& high = node.attributes.get<Ints>("high");
  pads.insert(pads.end(), high.begin(), high.end());
  e.result(value, "Pad", {e.use(node.inputs[0]), e.ints(pads), e.use(node.inputs[1])},
           {attribute("mode", "constant")});
}

void concat(Emitter& e, const Node& node, Value value) {
  Names inputs;
  for (const Value input : node.inputs) inputs.push_back(e.use(input));
  e.result(value, "Concat", inputs, {attribute("axis", node.attributes.get<int64_t>("axis"))});
}

void reverse(Emitter& e, const Node& node, Value value) {
  const Ints& axes = node.attributes.get<Ints>("axes");
  const Ints from(axes.size(), -1), to(axes.size(), INT64_MIN), steps(axes.size(), -1);
  e.result(value, "Slice", {e.use(node.inputs[0]), e.ints(from), e.ints(to), e.ints(axes), e.ints(steps)});
}

constexpr std::array kRows{
    WriteRow{"iota", iota},
    WriteRow{"dimension_size", dimension_size},
    WriteRow{"reshape", reshape},
    WriteRow{"transpose", transpose},
    WriteRow{"broadcast_in_dim", broadcast},
    WriteRow{"slice", slice},
    WriteRow{"pad", pad},
    WriteRow{"concat", concat},
    WriteRow{"reverse", reverse},
};
constexpr std::array kReduceRows{WriteRow{"reduce", reduce}, WriteRow{"arg_reduce", arg_reduce},
                                 WriteRow{"div", divide}};

}  // namespace

std::span<const WriteRow> move_write_rows() { return kRows; }
std::span<const WriteRow> reduce_write_rows() { return kReduceRows; }

}  // namespace temper::onnx
