#include "devices/cpu/matmul.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/check.h"
#include "devices/cpu/fusion.h"
#include "devices/cpu/matmul_panels.h"
#include "devices/cpu/post_ops.h"
#include "ir/op.h"

namespace temper::cpu {

namespace {

using dnnl::memory;

struct Extent {
  int64_t size = 1, stride = 0;
};

// Several axes as one, if they follow each other in memory in this order.
std::optional<Extent> collapse(const Shape& shape, const Ints& steps, const Ints& axes) {
  Extent whole;
  bool first = true;
  for (size_t i = axes.size(); i-- > 0;) {
    const int axis = static_cast<int>(axes[i]);
    const int64_t size = shape.size(axis), stride = steps[static_cast<size_t>(axis)];
    if (size == 1) continue;
    if (first) {
      whole.stride = stride;
    } else if (stride != whole.stride * whole.size) {
      return std::nullopt;
    }
    whole.size *= size;
    first = false;
  }
  return whole;
}

Ints free_axes(int rank, const Ints& batch, const Ints& contract) {
  Ints free;
  for (int64_t axis = 0; axis < rank; ++axis) {
    const auto in = [&](const Ints& axes) { return std::find(axes.begin(), axes.end(), axis) != axes.end(); };
    if (!in(batch) && !in(contract)) free.push_back(axis);
  }
  return free;
}

// One operand as [batch..., rows, columns] with strides; none if that takes a copy.
struct Matrix {
  memory::dims sizes, strides;
};
std::optional<Matrix> matrix(const Shape& shape, int64_t layout, const Ints& batch, const Ints& rows,
                             const Ints& columns) {
  if (!is_permutation(layout)) return std::nullopt;
  const Ints steps = strides(shape, layout);
  std::optional<Extent> row = collapse(shape, steps, rows), column = collapse(shape, steps, columns);
  if (!row || !column) return std::nullopt;
  // The stride of an axis of size 1 is free: choose it so that one of the two is dense.
  if (column->size == 1) column->stride = 1;
  if (row->size == 1) row->stride = column->stride == 1 ? column->size : 1;
  if (column->size == 1 && row->stride == 0) row->stride = 1;
  if (row->stride != 1 && column->stride != 1) return std::nullopt;
  Matrix result;
  for (const int64_t axis : batch) {
    result.sizes.push_back(shape.size(static_cast<int>(axis)));
    result.strides.push_back(steps[static_cast<size_t>(axis)]);
  }
  result.sizes.insert(result.sizes.end(), {row->size, column->size});
  result.strides.insert(result.strides.end(), {row->stride, column->stride});
  return result;
}

struct Dot {
  Dot(const Graph& graph, const Node& node)
      : x(graph.type(node.inputs[0])),
        y(graph.type(node.inputs[1])),
        x_batch(node.attributes.get<Ints>("x_batch")),
        y_batch(node.attributes.get<Ints>("y_batch")),
        x_contract(node.attributes.get<Ints>("x_contract")),
        y_contract(node.attributes.get<Ints>("y_contract")),
        x_free(free_axes(x.shape.rank(), x_batch, x_contract)),
        y_free(free_axes(y.shape.rank(), y_batch, y_contract)) {}

  std::optional<Matrix> x_matrix(int64_t layout) const {
    return matrix(x.shape, layout, x_batch, x_free, x_contract);
  }
  std::optional<Matrix> y_matrix(int64_t layout) const {
    return matrix(y.shape, layout, y_batch, y_contract, y_free);
  }

  // Axes of the result: batch, x's free ones, y's.
  std::optional<Matrix> z_matrix(const Shape& shape, int64_t layout) const {
    Ints axes(static_cast<size_t>(shape.rank()));
    std::iota(axes.begin(), axes.end(), 0);
    const auto rows = axes.begin() + static_cast<std::ptrdiff_t>(x_batch.size()),
               columns = rows + static_cast<std::ptrdiff_t>(x_free.size());
    return matrix(shape, layout, {axes.begin(), rows}, {rows, columns}, {columns, axes.end()});
  }

  const Type &x, &y;
  const Ints &x_batch, &y_batch, &x_contract, &y_contract;
  Ints x_free, y_free;
};

Descriptor describe(DType dtype, const Matrix& matrix) {
  return {matrix.sizes, *data_type(dtype), matrix.strides};
}

// A matrix in blocks, seen as [contracted, free].
Descriptor describe_packed(const Dot& dot, int64_t layout) {
  const Descriptor stored = descriptor(dot.y.dtype, dot.y.shape, layout);
  return dot.y_contract[0] == 0 ? stored : stored.permute_axes({1, 0});
}

// The layout that has these axes in this order; row-major if there are too many.
int64_t in_order(const Shape& shape, const Ints& batch, const Ints& rows, const Ints& columns) {
  if (shape.rank() > Layout::kMaxRank) return kRowMajor;
  Layout layout{.rank = shape.rank()};
  size_t next = 0;
  for (const Ints* axes : {&batch, &rows, &columns})
    for (const int64_t axis : *axes) layout.order[next++] = static_cast<int>(axis);
  return *encode(layout);
}

Matrix dense(const memory::dims& sizes) {
  Matrix result{sizes, memory::dims(sizes.size())};
  int64_t step = 1;
  for (size_t i = sizes.size(); i-- > 0;) result.strides[i] = step, step *= sizes[i];
  return result;
}

bool is_turned(const Matrix& matrix) { return matrix.strides.back() != 1; }

Matrix turned(Matrix matrix) {
  for (memory::dims* each : {&matrix.sizes, &matrix.strides})
    std::swap(each->back(), (*each)[each->size() - 2]);
  return matrix;
}

}  // namespace

bool onednn_multiplies(DType dtype) {
  return dtype == DType::f32 || dtype == DType::bf16 || dtype == DType::f16;
}

DotLayouts dot_layouts(const Graph& graph, const Node& node, int64_t x_present, int64_t y_present) {
  const Dot dot(graph, node);
  const bool y_fits = dot.y_matrix(y_present) || !is_permutation(y_present);  // or packed for this product
  return {
      dot.x_matrix(x_present) ? x_present : in_order(dot.x.shape, dot.x_batch, dot.x_free, dot.x_contract),
      y_fits ? y_present : in_order(dot.y.shape, dot.y_batch, dot.y_contract, dot.y_free)};
}

std::optional<int64_t> packed_layout(const Graph& graph, const Node& node, int threads) {
  const Dot dot(graph, node);
  const bool matrices = dot.y.shape.rank() == 2 && dot.y_batch.empty() && dot.y_contract.size() == 1;
  const auto x = dot.x_matrix(kRowMajor);
  if (!matrices || !x || !onednn_multiplies(dot.y.dtype) || dot.y.shape.elements() == 0 || x->sizes[0] == 0)
    return std::nullopt;
  const TeamSize team(threads);
  const memory::dims wanted{x->sizes[1], dot.y.shape.size(static_cast<int>(dot.y_free[0]))};
  const auto type = *data_type(dot.y.dtype);
  const auto description = dnnl::matmul::primitive_desc(
      engine(), describe(dot.x.dtype, *x), Descriptor(wanted, type, memory::format_tag::any),
      describe(node.outputs[0].dtype, dense({x->sizes[0], wanted[1]})), user_scratchpad(), true);
  if (!description) return std::nullopt;
  const Descriptor packed = description.weights_desc();
  return layout_of(dot.y_contract[0] == 0 ? packed : packed.permute_axes({1, 0}), 2, true);
}

bool can_store_product(const Graph& graph, const Cluster& cluster, int64_t layout) {
  const Fusion fusion = read_fusion(graph, cluster);
  const Type& type = graph.type(fusion.result);
  if (fusion.integers || !onednn_multiplies(type.dtype) || layout == kRowMajor || !is_permutation(layout))
    return false;
  const bool sums = std::any_of(fusion.posts.begin(), fusion.posts.end(),
                                [](const PostOp& post) { return post.kind == PostOp::add; });
  const auto z = Dot(graph, graph.nodes()[static_cast<size_t>(fusion.node)]).z_matrix(type.shape, layout);
  return !sums && z && (!fusion.bias || !is_turned(*z));
}

std::unique_ptr<Kernel> make_matmul(const KernelRequest& request) {
  const Fusion fusion = read_fusion(request.graph, request.cluster);
  const Node& node = request.graph.nodes()[static_cast<size_t>(fusion.node)];
  const Dot dot(request.graph, node);
  const DType dtype = dot.x.dtype;
  const bool empty = dot.x.shape.elements() == 0 || dot.y.shape.elements() == 0;
  if (!onednn_multiplies(dtype) || empty) return nullptr;
  int x_slot = position(request.inputs, node.inputs[0]), y_slot = position(request.inputs, node.inputs[1]);
  auto x = dot.x_matrix(request.input_layouts[static_cast<size_t>(x_slot)]);
  const int64_t y_layout = request.input_layouts[static_cast<size_t>(y_slot)];
  const bool packed = !is_permutation(y_layout);
  auto y = dot.y_matrix(packed ? kRowMajor : y_layout);
  auto z = dot.z_matrix(node.outputs[0].shape, request.output_layouts[0]);
  if (!x || !y || !z || x->sizes.size() > DNNL_MAX_NDIMS || (packed && is_turned(*z))) return nullptr;
  if (is_turned(*z)) {  // oneDNN writes dense rows: z' = y' x'
    x = turned(*std::exchange(y, turned(*x)));
    z = turned(*z);
    std::swap(x_slot, y_slot);
  }
  const memory::dims& sizes = z->sizes;
  if (dtype == DType::f32 && node.outputs[0].dtype == DType::f32 && sizes.size() == 2 && !packed &&
      !has_bf16_kernels())
    return make_panel_matmul(request, fusion,
                             {.rows = sizes[0],
                              .columns = sizes[1],
                              .depth = x->sizes[1],
                              .x = {x->strides[0], x->strides[1]},
                              .y = {y->strides[0], y->strides[1]},
                              .z = z->strides[0],
                              .x_slot = x_slot,
                              .y_slot = y_slot});

  const TeamSize team(request.threads);
  const Slots slots(request);
  const Descriptor result = describe(node.outputs[0].dtype, *z);
  dnnl::primitive_attr attributes = user_scratchpad();
  std::vector<Binding> bindings = bind_follows(attributes, plain_follows(fusion), result, request);
  Descriptor bias;
  if (fusion.bias) {
    memory::dims ones(sizes.size(), 1);
    ones.back() = sizes.back();
    bias = describe(request.graph.type(fusion.bias).dtype, dense(ones));
    bindings.push_back({DNNL_ARG_BIAS, bias, position(request.inputs, fusion.bias)});
  }
  const Descriptor left = describe(dtype, *x),
                   right = packed ? describe_packed(dot, y_layout) : describe(dtype, *y);
  const auto description =
      fusion.bias ? dnnl::matmul::primitive_desc(engine(), left, right, bias, result, attributes, true)
                  : dnnl::matmul::primitive_desc(engine(), left, right, result, attributes, true);
  if (!description) return nullptr;
  ScratchPlan scratch;
  bindings.push_back({DNNL_ARG_SRC, left, x_slot});
  bindings.push_back({DNNL_ARG_WEIGHTS, right, y_slot});
  bindings.push_back({DNNL_ARG_DST, result, slots.output});
  bind_scratchpad(bindings, description.scratchpad_desc(), slots.scratch, scratch);
  std::vector<Step> steps;
  steps.push_back({dnnl::matmul(description), std::move(bindings)});
  return std::make_unique<StepKernel>(std::move(steps), scratch.bytes());
}

}  // namespace temper::cpu
