#include "devices/cuda/products.h"

#include <algorithm>

#include "base/text.h"
#include "ir/op.h"
#include "temper/tensor.h"

namespace temper::cuda {

namespace {

bool is_zero(const Graph& graph, Value value) {
  if (graph.node(value).op->name == "broadcast_in_dim") value = graph.node(value).inputs[0];
  const Node& node = graph.node(value);
  if (node.op->name != "constant") return false;
  const auto& tensor = node.attributes.get<Tensor>("value");
  return tensor.shape().elements() == 1 && to_doubles(tensor)[0] == 0;
}

// One of its two unequal axes lies densely, the other is far enough apart.
bool lies_as_matrix(int64_t rows, int64_t row, int64_t columns, int64_t column) {
  return (column == 1 && row >= columns) || (row == 1 && column >= rows);
}

// Wide tiles read less, if there are enough of them for two on every multiprocessor.
GroupTile tile_of(const TargetFacts& facts, const Product& product) {
  constexpr GroupTile kWide{.side = 16, .each = 8, .inner = 16};
  constexpr int kWidth = kWide.side * kWide.each;
  int64_t units = 100;
  if (const auto found = facts.facts.find("units"); found != facts.facts.end())
    parse_number(found->second, units);
  const int64_t tiles = product.groups * groups_of(product.rows, kWidth) * groups_of(product.columns, kWidth);
  const bool fills = product.rows > kWidth / 2 && product.columns > kWidth / 2;
  return bit_width(product.z) <= 32 && fills && tiles >= 2 * units ? kWide : GroupTile{};
}

// Without its place in the graph; null if cuBLASLt does not compute it.
std::shared_ptr<ProductCall> plain_product(const Graph& graph, const Node& node) {
  if (node.op->name != "dot_general") return nullptr;
  const std::optional<Product> product = product_of_node(graph, node);
  if (!product || !is_float(product->z) || product->a != product->z || product->b != product->z)
    return nullptr;
  const auto a = joined_stride(product->group_sizes, product->a_group),
             b = joined_stride(product->group_sizes, product->b_group);
  if (!a || !b || product->groups > INT32_MAX ||
      !lies_as_matrix(product->rows, product->a_row, product->inner, product->a_inner) ||
      !lies_as_matrix(product->inner, product->b_inner, product->columns, product->b_column))
    return nullptr;
  auto call = std::make_shared<ProductCall>();
  call->product = *product;
  call->a_stride = *a;
  call->b_stride = *b;
  return call;
}

bool has_library(const TargetFacts& facts) { return facts.facts.contains("cublaslt"); }

class Matching {
 public:
  explicit Matching(const Graph& graph) : graph_(graph), users_(users(graph)) {
    for (const Port& output : graph.outputs) kept_.push_back(output.value.node);
  }

  std::shared_ptr<ProductCall> match(int number) const {
    const Node& node = graph_.nodes()[static_cast<size_t>(number)];
    std::shared_ptr<ProductCall> call = plain_product(graph_, node);
    if (!call) return nullptr;
    call->inputs = node.inputs;
    call->cluster = {{number}, "product"};
    if (call->product.z != DType::f64) {  // of which cuBLASLt has the plain product only
      add_bias(*call);
      add_relu(*call);
    }
    call->outputs = {{call->cluster.nodes.back(), 0}};
    return call;
  }

 private:
  // The only reader of the call's result so far; -1 if others want it, too.
  int reader(const ProductCall& call) const {
    const int last = call.cluster.nodes.back();
    const std::vector<int>& readers = users_[static_cast<size_t>(last)];
    return readers.size() == 1 && std::ranges::find(kept_, last) == kept_.end() ? readers[0] : -1;
  }

  // The other operand of the reader, if that is `op` and reads the result once; else none.
  Value other_operand(const ProductCall& call, std::string_view op, int reader) const {
    if (reader < 0) return {};
    const Node& node = graph_.nodes()[static_cast<size_t>(reader)];
    if (node.op->name != op || node.inputs.size() != 2) return {};
    const Value result{call.cluster.nodes.back(), 0};
    if ((node.inputs[0] == result) == (node.inputs[1] == result)) return {};
    return node.inputs[0] == result ? node.inputs[1] : node.inputs[0];
  }

  // A value for each column, the same in every row and group.
  void add_bias(ProductCall& call) const {
    const int at = reader(call);
    const Value other = other_operand(call, "add", at);
    if (!other || graph_.node(other).op->name != "broadcast_in_dim") return;
    const Node& spread = graph_.node(other);
    const Value bias = spread.inputs[0];
    const Shape& shape = graph_.type(bias).shape;
    const int last = graph_.type(other).shape.rank() - 1;
    if (shape.rank() != 1 || shape.size(0) != call.product.columns ||
        graph_.type(other).shape.size(last) != call.product.columns ||
        spread.attributes.get<Ints>("axes") != Ints{last})
      return;
    call.bias = true;
    call.inputs.push_back(bias);
    call.cluster.nodes.push_back(at);
    call.cluster.kind += "+bias";
  }

  void add_relu(ProductCall& call) const {
    const int at = reader(call);
    const Value other = other_operand(call, "max", at);
    if (!other || !is_zero(graph_, other)) return;
    call.relu = true;
    call.cluster.nodes.push_back(at);
    call.cluster.kind += "+relu";
  }

  const Graph& graph_;
  std::vector<std::vector<int>> users_;
  std::vector<int> kept_;
};

}  // namespace

std::vector<std::shared_ptr<const launches::LibraryCall>> library_products(const TargetFacts& facts,
                                                                           const Graph& graph) {
  std::vector<std::shared_ptr<const launches::LibraryCall>> calls;
  if (!has_library(facts)) return calls;
  const Matching matching(graph);
  for (int i = 0; i < graph.size(); ++i)
    if (auto call = matching.match(i)) calls.push_back(std::move(call));
  return calls;
}

bool goes_to_library(const TargetFacts& facts, const Graph& graph, const Node& node) {
  return has_library(facts) && plain_product(graph, node);
}

std::vector<KernelStep> kernels_of(const TargetFacts& facts, const Graph& graph, const Node& node) {
  const std::optional<Product> product = product_of_node(graph, node);
  if (!product) return node_kernels(graph, node);
  return product_step(node, group_kernel(*product, tile_of(facts, *product)));
}

}  // namespace temper::cuda
