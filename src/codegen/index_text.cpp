// Reads and writes at places that are values.
#include <algorithm>

#include "codegen/node_text.h"
#include "codegen/tape_text.h"
#include "ir/op.h"

namespace temper {

namespace {

bool holds(const Ints& axes, int64_t axis) { return std::ranges::find(axes, axis) != axes.end(); }

Ints other_axes(size_t rank, const Ints& axes) {
  Ints rest;
  for (size_t i = 0; i < rank; ++i)
    if (!holds(axes, static_cast<int64_t>(i))) rest.push_back(static_cast<int64_t>(i));
  return rest;
}

// Where index vectors lie in `indices`: element k of the vector for the batch coordinates at hand.
class IndexText {
 public:
  IndexText(const Type& indices, int64_t vector_dim) {
    const Ints sizes = indices.shape.sizes(), strides = dense_strides(sizes);
    for (size_t axis = 0; axis < sizes.size(); ++axis) {
      if (static_cast<int64_t>(axis) == vector_dim)
        vector_stride_ = strides[axis];
      else
        batch_sizes.push_back(sizes[axis]), batch_strides_.push_back(strides[axis]);
    }
  }
  std::string place(const std::vector<std::string>& batch, size_t k) const {
    return linear_text(batch, batch_strides_, static_cast<int64_t>(k) * vector_stride_);
  }
  Ints batch_sizes;

 private:
  Ints batch_strides_;
  int64_t vector_stride_ = 0;
};

void print_clamped(KernelWriter& w, std::string_view name, std::string_view value, int64_t most) {
  w.line("const i64 ", name, "_ = (i64)", value, ";");
  w.line("const ", w.index(), " ", name, " = (", w.index(), ")(", name, "_ < 0 ? 0 : ", name, "_ > ",
         literal(most), " ? ", literal(most), " : ", name, "_);");
}

std::vector<KernelStep> gather(const Graph& graph, const Node& node) {
  const Type &x = graph.type(node.inputs[0]), &indices = graph.type(node.inputs[1]), &y = node.outputs[0];
  const Attributes& a = node.attributes;
  const Ints &offsets = a.get<Ints>("offset_dims"), &map = a.get<Ints>("start_index_map"),
             &sizes = a.get<Ints>("slice_sizes");
  const Ints from = x.shape.sizes(), strides = dense_strides(from),
             kept = other_axes(from.size(), a.get<Ints>("collapsed_slice_dims"));
  const int64_t count = y.shape.elements();
  KernelWriter w("gather", {raw_dtype(x.dtype), indices.dtype}, {raw_dtype(x.dtype)},
                 largest_of(graph, node));
  w.item(literal(count));
  const std::vector<std::string> at = w.coordinates("i", y.shape.sizes(), "c");
  const IndexText index(indices, a.get<int64_t>("index_vector_dim"));
  std::vector<std::string> batch, places;
  for (size_t axis = 0; axis < at.size(); ++axis)
    if (!holds(offsets, static_cast<int64_t>(axis))) batch.push_back(at[axis]);
  Ints place_strides;
  for (size_t k = 0; k < map.size(); ++k) {
    const auto axis = static_cast<size_t>(map[k]);
    places.push_back(concat("p", k));
    place_strides.push_back(strides[axis]);
    print_clamped(w, places.back(), w.load(1, index.place(batch, k)),
                  from[axis] - (sizes[axis] < 0 ? from[axis] : sizes[axis]));
  }
  for (size_t k = 0; k < kept.size(); ++k) {
    places.push_back(at[static_cast<size_t>(offsets[k])]);
    place_strides.push_back(strides[static_cast<size_t>(kept[k])]);
  }
  w.store(0, "i", w.load(0, linear_text(places, place_strides)));
  return whole_step(node, w.finish(groups_of(count), kLanes));
}

KernelText copy_kernel(DType raw, int64_t count) {
  KernelWriter w("copy", {raw}, {raw}, count, 1);
  w.item("n0");
  w.store(0, "i", w.load(0, "i"));
  return w.finish(groups_of(count), kLanes, {count});
}

std::string scattered(std::string_view kind, DType dtype, std::string_view old, std::string_view update) {
  if (kind == "set") return std::string(update);
  const ReduceKind fold = kind == "add"   ? ReduceKind::sum
                          : kind == "mul" ? ReduceKind::prod
                          : kind == "max" ? ReduceKind::max
                                          : ReduceKind::min;
  return fold_text(fold, dtype == DType::f16 || dtype == DType::bf16 ? DType::f32 : dtype, old, update);
}

// Items share the axes of an update's window that no index moves; each goes through all updates in order, so
// that no two write to one place, and what is added up is so in the same order each time.
class Scatter {
 public:
  Scatter(const Graph& graph, const Node& node)
      : node_(node),
        x_(graph.type(node.inputs[0])),
        indices_(graph.type(node.inputs[1])),
        updates_(graph.type(node.inputs[2])),
        largest_(largest_of(graph, node)),
        map_(node.attributes.get<Ints>("scatter_dims_to_operand_dims")),
        windows_(node.attributes.get<Ints>("update_window_dims")),
        index_(indices_, node.attributes.get<int64_t>("index_vector_dim")),
        kept_(other_axes(x_.shape.sizes().size(), node.attributes.get<Ints>("inserted_window_dims"))) {}

  KernelText print() {
    const auto& kind = node_.attributes.get<std::string>("kind");
    const DType dtype = kind == "set" ? raw_dtype(x_.dtype) : x_.dtype;
    KernelWriter w("scatter", {indices_.dtype, dtype}, {dtype}, largest_);
    const Ints update_sizes = updates_.shape.sizes();
    Ints shared;
    for (size_t k = 0; k < kept_.size(); ++k)
      if (!holds(map_, kept_[k])) shared.push_back(update_sizes[static_cast<size_t>(windows_[k])]);
    const int64_t items = product_of(shared);
    w.item(literal(items));
    const std::vector<std::string> own = w.coordinates("i", shared, "c");
    coordinates_.assign(update_sizes.size(), "0");
    for (size_t k = 0, next = 0; k < kept_.size(); ++k)
      if (!holds(map_, kept_[k])) coordinates_[static_cast<size_t>(windows_[k])] = own[next++];
    const size_t opened = open_loops(w, update_sizes);
    write(w, kind, dtype);
    for (size_t i = 0; i < opened; ++i) w.close();
    return w.finish(groups_of(items), kLanes);
  }

 private:
  // Over the updates and over those axes of the window that indices move.
  size_t open_loops(KernelWriter& w, const Ints& update_sizes) {
    size_t opened = 0;
    for (size_t axis = 0; axis < update_sizes.size(); ++axis) {
      const auto window = std::ranges::find(windows_, static_cast<int64_t>(axis));
      if (window != windows_.end() && !holds(map_, kept_[static_cast<size_t>(window - windows_.begin())]))
        continue;
      coordinates_[axis] = concat("u", axis);
      w.open("for (", w.index(), " u", axis, " = 0; u", axis, " < ", literal(update_sizes[axis]), "; ++u",
             axis, ")");
      ++opened;
    }
    return opened;
  }

  void write(KernelWriter& w, std::string_view kind, DType dtype) {
    const Ints sizes = x_.shape.sizes(), strides = dense_strides(sizes),
               update_sizes = updates_.shape.sizes();
    std::vector<std::string> batch, places;
    for (size_t axis = 0; axis < update_sizes.size(); ++axis)
      if (!holds(windows_, static_cast<int64_t>(axis))) batch.push_back(coordinates_[axis]);
    Ints place_strides;
    std::string fits = "1";
    for (size_t k = 0; k < map_.size(); ++k) {
      const auto axis = static_cast<size_t>(map_[k]);
      const auto window = std::ranges::find(kept_, map_[k]);
      const int64_t extent =
          window == kept_.end()
              ? 1
              : update_sizes[static_cast<size_t>(windows_[static_cast<size_t>(window - kept_.begin())])];
      places.push_back(concat("p", k));
      place_strides.push_back(strides[axis]);
      w.line("const i64 p", k, " = (i64)", w.load(0, index_.place(batch, k)), ";");
      fits += concat(" && p", k, " >= 0 && p", k, " <= ", literal(sizes[axis] - extent));
    }
    for (size_t k = 0; k < kept_.size(); ++k) {
      places.push_back(coordinates_[static_cast<size_t>(windows_[k])]);
      place_strides.push_back(strides[static_cast<size_t>(kept_[k])]);
    }
    w.open("if (", fits, ")");
    w.line("const i64 at = ", linear_text(places, place_strides), ";");
    const std::string update = w.load(1, linear_text(coordinates_, dense_strides(update_sizes)));
    w.store(0, "at", scattered(kind, dtype, load_text(dtype, "y0[at]"), update));
    w.close();
  }

  const Node& node_;
  const Type &x_, &indices_, &updates_;
  int64_t largest_;
  const Ints &map_, &windows_;
  IndexText index_;
  Ints kept_;
  std::vector<std::string> coordinates_;
};

std::vector<KernelStep> scatter(const Graph& graph, const Node& node) {
  const Type& x = graph.type(node.inputs[0]);
  std::vector<KernelStep> steps;
  steps.push_back({copy_kernel(raw_dtype(x.dtype), x.shape.elements()), {0, 3}, 1});
  steps.push_back({Scatter(graph, node).print(), {1, 2, 3}, 2});
  return steps;
}

std::vector<std::string> print_starts(KernelWriter& w, size_t read, const Ints& sizes, const Ints& window) {
  std::vector<std::string> names;
  for (size_t i = 0; i < sizes.size(); ++i) {
    names.push_back(concat("p", i));
    print_clamped(w, names.back(), w.load(read, literal(static_cast<int64_t>(i))), sizes[i] - window[i]);
  }
  return names;
}

std::vector<KernelStep> dynamic_slice(const Graph& graph, const Node& node) {
  const Type& x = graph.type(node.inputs[0]);
  const DType raw = raw_dtype(x.dtype);
  const Ints from = x.shape.sizes(), sizes = node.outputs[0].shape.sizes(), strides = dense_strides(from);
  const int64_t count = product_of(sizes);
  KernelWriter w("dynamic_slice", {raw, DType::i64}, {raw}, largest_of(graph, node));
  w.item(literal(count));
  const std::vector<std::string> at = w.coordinates("i", sizes, "c"),
                                 starts = print_starts(w, 1, from, sizes);
  w.store(0, "i", w.load(0, concat(linear_text(at, strides), " + ", linear_text(starts, strides))));
  return whole_step(node, w.finish(groups_of(count), kLanes));
}

std::vector<KernelStep> dynamic_update_slice(const Graph& graph, const Node& node) {
  const DType raw = raw_dtype(node.outputs[0].dtype);
  const Ints sizes = node.outputs[0].shape.sizes(), window = graph.type(node.inputs[1]).shape.sizes();
  const int64_t count = product_of(sizes);
  KernelWriter w("dynamic_update_slice", {raw, raw, DType::i64}, {raw}, largest_of(graph, node));
  w.item(literal(count));
  const std::vector<std::string> at = w.coordinates("i", sizes, "c"),
                                 starts = print_starts(w, 2, sizes, window);
  std::string inside = "1";
  std::vector<std::string> own;
  for (size_t i = 0; i < sizes.size(); ++i) {
    own.push_back(concat("(", at[i], " - ", starts[i], ")"));
    inside += concat(" && ", own[i], " >= 0 && ", own[i], " < ", literal(window[i]));
  }
  w.store(
      0, "i",
      concat("(", inside, ") ? ", w.load(1, linear_text(own, dense_strides(window))), " : ", w.load(0, "i")));
  return whole_step(node, w.finish(groups_of(count), kLanes));
}

constexpr NodePrinter kPrinters[] = {{"gather", gather},
                                     {"scatter", scatter},
                                     {"dynamic_slice", dynamic_slice},
                                     {"dynamic_update_slice", dynamic_update_slice}};

}  // namespace

std::span<const NodePrinter> index_kernels() { return kPrinters; }

}  // namespace temper
