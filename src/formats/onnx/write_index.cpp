// Reading and writing by index, sorting.
#include <algorithm>
#include <array>

#include "formats/onnx/emitter.h"

namespace temper::onnx {

namespace {

Ints counting(int64_t from, int64_t count) {
  Ints axes;
  for (int64_t i = 0; i < count; ++i) axes.push_back(from + i);
  return axes;
}

bool is_zero(const Emitter& e, Value value) {
  const Node* node = e.made_by(e.through_broadcast(value), "constant");
  if (!node || is_float(e.dtype(value))) return false;
  const std::vector<int64_t> values = to_int64s(node->attributes.get<Tensor>("value"));
  return std::all_of(values.begin(), values.end(), [](int64_t each) { return each == 0; });
}

// i where the graph has (i < 0 ? i + size : i): ONNX's indices count from the end by themselves.
Value unwrapped(const Emitter& e, Value indices) {
  const Node* select = e.made_by(indices, "select");
  const Node* negative = select ? e.made_by(select->inputs[0], "compare") : nullptr;
  const Node* shifted = select ? e.made_by(select->inputs[1], "add") : nullptr;
  if (!negative || !shifted || negative->attributes.get<std::string>("direction") != "lt") return indices;
  const Value plain = select->inputs[2];
  const bool fits =
      negative->inputs[0] == plain && is_zero(e, negative->inputs[1]) && shifted->inputs[0] == plain;
  return fits ? plain : indices;
}

// One axis indexed by whole index tensors, as Gather does.
bool is_take(const Emitter& e, const Node& node) {
  const Ints &collapsed = node.attributes.get<Ints>("collapsed_slice_dims"),
             &sizes = node.attributes.get<Ints>("slice_sizes");
  const Shape &x = e.shape(node.inputs[0]), &indices = e.shape(node.inputs[1]);
  if (collapsed.size() != 1 || node.attributes.get<Ints>("start_index_map") != collapsed ||
      node.attributes.get<int64_t>("index_vector_dim") != indices.rank())
    return false;
  const int64_t axis = collapsed[0];
  Ints offsets = counting(0, axis);
  const Ints after = counting(axis + indices.rank(), x.rank() - 1 - axis);
  offsets.insert(offsets.end(), after.begin(), after.end());
  for (int i = 0; i < x.rank(); ++i) {
    const int64_t size = sizes[static_cast<size_t>(i)];
    if (i != axis && size != -1 && Dim(size) != x[i]) return false;
  }
  return node.attributes.get<Ints>("offset_dims") == offsets;
}

// Index vectors along the last axis for the leading axes of x.
bool is_gather_nd(const Emitter& e, const Node& node) {
  const Shape &x = e.shape(node.inputs[0]), &indices = e.shape(node.inputs[1]);
  const Ints& map = node.attributes.get<Ints>("start_index_map");
  const Ints leading = counting(0, static_cast<int64_t>(map.size()));
  const Ints& sizes = node.attributes.get<Ints>("slice_sizes");
  for (int i = 0; i < x.rank(); ++i) {
    const int64_t size = sizes[static_cast<size_t>(i)];
    if (i >= static_cast<int>(map.size()) ? size != -1 && Dim(size) != x[i] : size != 1) return false;
  }
  return map == leading && node.attributes.get<Ints>("collapsed_slice_dims") == leading &&
         node.attributes.get<int64_t>("index_vector_dim") == indices.rank() - 1 &&
         node.attributes.get<Ints>("offset_dims") ==
             counting(indices.rank() - 1, x.rank() - static_cast<int64_t>(map.size()));
}

std::string as_i64(Emitter& e, Value indices) {
  if (e.dtype(indices) == DType::i64) return e.use(indices);
  return e.add("Cast", {e.use(indices)}, {attribute("to", int64_t{7})});
}

void gather(Emitter& e, const Node& node, Value value) {
  if (is_take(e, node)) {
    const Value indices = unwrapped(e, node.inputs[1]);
    return e.result(value, "Gather", {e.use(node.inputs[0]), e.use(indices)},
                    {attribute("axis", node.attributes.get<Ints>("collapsed_slice_dims")[0])});
  }
  if (!is_gather_nd(e, node)) e.unsupported("a gather that is neither Gather nor GatherND");
  e.result(value, "GatherND", {e.use(node.inputs[0]), as_i64(e, node.inputs[1])});
}

void embedding(Emitter& e, const Node& node, Value value) {
  e.result(value, "Gather", {e.use(node.inputs[0]), e.use(node.inputs[1])}, {attribute("axis", int64_t{0})});
}

void scatter(Emitter& e, const Node& node, Value value) {
  const Shape &x = e.shape(node.inputs[0]), &indices = e.shape(node.inputs[1]);
  const std::string& kind = node.attributes.get<std::string>("kind");
  const Ints& map = node.attributes.get<Ints>("scatter_dims_to_operand_dims");
  const Ints leading = counting(0, static_cast<int64_t>(map.size()));
  const bool fits = map == leading && node.attributes.get<Ints>("inserted_window_dims") == leading &&
                    node.attributes.get<int64_t>("index_vector_dim") == indices.rank() - 1 &&
                    node.attributes.get<Ints>("update_window_dims") ==
                        counting(indices.rank() - 1, x.rank() - static_cast<int64_t>(map.size()));
  if (!fits) e.unsupported("a scatter that is no ScatterND");
  AttributeDefs attributes;
  if (kind != "set") {
    if (e.opset < (kind == "max" || kind == "min" ? 18 : 16))
      e.unsupported("a scatter that combines needs a newer opset");
    attributes.push_back(attribute("reduction", kind));
  }
  e.result(value, "ScatterND", {e.use(node.inputs[0]), as_i64(e, node.inputs[1]), e.use(node.inputs[2])},
           attributes);
}

// Starts are clamped so that the slice fits.
void dynamic_slice(Emitter& e, const Node& node, Value value) {
  const Ints& sizes = node.attributes.get<Ints>("sizes");
  const Shape& x = e.shape(node.inputs[0]);
  if (!x.is_static()) e.unsupported("a dynamic slice of a shape with free dimensions");
  Ints last = x.sizes();
  for (size_t i = 0; i < last.size(); ++i) last[i] -= sizes[i];
  const Ints zeros(last.size());
  const std::string starts =
      e.add("Max", {e.add("Min", {as_i64(e, node.inputs[1]), e.ints(last)}), e.ints(zeros)});
  e.result(value, "Slice", {e.use(node.inputs[0]), starts, e.add("Add", {starts, e.ints(sizes)})});
}

// TopK of everything sorts; what is carried along follows by the indices.
void sort(Emitter& e, const Node& node, Value value) {
  const int64_t axis = node.attributes.get<int64_t>("axis");
  const AttributeDefs attributes{attribute("axis", axis),
                                 attribute("largest", int64_t{node.attributes.get<bool>("descending")}),
                                 attribute("sorted", int64_t{1})};
  const Names inputs{e.use(node.inputs[0]), e.size(e.shape(node.inputs[0])[static_cast<int>(axis)])};
  if (node.inputs.size() == 1) return e.results({value}, "TopK", inputs, attributes);
  const Node* places = e.made_by(node.inputs[1], "iota");
  const bool indices = node.inputs.size() == 2 && places && places->attributes.get<int64_t>("axis") == axis &&
                       e.dtype(node.inputs[1]) == DType::i64;
  if (!indices) e.unsupported("a sort that carries along more than the indices");
  e.results({value, {value.node, 1}}, "TopK", inputs, attributes);
}

constexpr std::array kRows{
    WriteRow{"gather", gather},   WriteRow{"embedding", embedding},
    WriteRow{"scatter", scatter}, WriteRow{"dynamic_slice", dynamic_slice},
    WriteRow{"sort", sort},
};

}  // namespace

std::span<const WriteRow> index_write_rows() { return kRows; }

}  // namespace temper::onnx
