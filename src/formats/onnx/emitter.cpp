#include "formats/onnx/emitter.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "formats/onnx/known.h"
#include "temper/error.h"

namespace temper::onnx {

static constexpr std::array kFamilies{map_write_rows,    move_write_rows,        index_write_rows,
                                      reduce_write_rows, contraction_write_rows, layer_write_rows};

const WriteRow* find_write_row(std::string_view op) {
  for (const auto& family : kFamilies)
    for (const WriteRow& row : family())
      if (row.op == op) return &row;
  return nullptr;
}

Emitter::Emitter(const Model& model, int opset) : graph(model.graph), opset(opset), model_(model) {
  uses_.resize(static_cast<size_t>(graph.size()));
  for (const Node& node : graph.nodes())
    for (const Value input : node.inputs)
      if (input) ++uses_[static_cast<size_t>(input.node)];
  for (const Port& port : graph.outputs) ++uses_[static_cast<size_t>(port.value.node)];
  for (int i = 0; i < graph.size(); ++i) last_[graph.nodes()[static_cast<size_t>(i)].name] = i;
  out_.name = model.name.empty() ? "temper" : model.name;
}

// Ports keep their names; the rest is named when it is written.
void Emitter::name_values() {
  for (const Port& port : graph.inputs) {
    names_[port.value] = port.name;
    taken_.insert(port.name);
  }
  for (const Port& port : graph.outputs) {
    if (graph.node(port.value).op != &input_op) names_.emplace(port.value, port.name);
    taken_.insert(port.name);
  }
}

GraphDef Emitter::write() {
  std::vector<std::string> problems;
  const auto visit_noting = [&](int node) {
    try {
      visit(node);
    } catch (const Error& problem) {
      if (problem.kind() != ErrorKind::unsupported) throw;
      problems.push_back(concat(graph.describe(node), ": ", problem.what()));
    }
  };
  for (const Port& port : graph.outputs) needed_.insert(port.value);
  for (int i = graph.size(); i-- > 0;) visit_noting(i);
  if (!problems.empty())
    throw Error(ErrorKind::unsupported, concat("ONNX has no form for ", join(problems, "; ")));
  planning_ = false;
  name_values();
  for (const Port& port : graph.inputs) {
    const auto parameter = model_.parameters.find(port.name);
    if (parameter != model_.parameters.end())
      out_.initializers.push_back({port.name, parameter->second});
    else
      out_.inputs.push_back({port.name, graph.type(port.value).dtype, shape(port.value)});
  }
  for (int i = 0; i < graph.size(); ++i) visit(i);
  for (const Port& port : graph.outputs) {
    out_.outputs.push_back({port.name, dtype(port.value), shape(port.value)});
    if (names_.at(port.value) != port.name)
      append(port.name, "Identity", {names_.at(port.value)}, {port.name}, {});
  }
  return std::move(out_);
}

// The opset in which an element type came.
static int first_opset(DType dtype) {
  switch (dtype) {
    case DType::f8e4m3fn:
    case DType::f8e4m3fnuz:
    case DType::f8e5m2:
    case DType::f8e5m2fnuz:
      return 19;
    case DType::i4:
    case DType::u4:
      return 21;
    case DType::f4e2m1:
      return 23;
    case DType::f8e8m0:
      return 24;
    case DType::i2:
    case DType::u2:
      return 25;
    default:
      return 13;
  }
}

void Emitter::visit(int index) {
  const Node& node = graph.nodes()[static_cast<size_t>(index)];
  for (const Type& type : node.outputs)
    if (first_opset(type.dtype) > opset)
      unsupported(concat(to_string(type.dtype), " needs opset ", first_opset(type.dtype)));
  if (node.op == &input_op) return;
  bool needed = false;
  for (int i = 0; i < static_cast<int>(node.outputs.size()); ++i)
    needed = needed || needed_.contains({index, i});
  if (!needed) return;
  const WriteRow* row = find_write_row(node.op->name);
  if (!row) unsupported("no operator does this");
  node_ = index;
  node_name_ = node.name;
  row->write(*this, node, {index, 0});
}

static std::string unique(std::string_view wanted, std::set<std::string, std::less<>>& taken) {
  std::string name(wanted);
  for (int i = 1; !taken.insert(name).second; ++i) name = concat(wanted, "_", i);
  return name;
}

std::string Emitter::fresh(std::string_view wanted) { return unique(wanted, taken_); }

void Emitter::append(std::string_view name, std::string_view op_type, Names inputs, Names outputs,
                     AttributeDefs attributes) {
  out_.nodes.push_back({unique(name, node_names_), std::string(op_type), "", std::move(inputs),
                        std::move(outputs), std::move(attributes)});
}

std::string Emitter::use(Value value) {
  if (!value) return {};
  if (planning_) {
    needed_.insert(value);
    return "?";
  }
  return names_.at(value);
}

std::string Emitter::add(std::string_view op_type, Names inputs, AttributeDefs attributes) {
  if (planning_) return "?";
  const std::string name = fresh(concat(node_name_.empty() ? "node" : node_name_, "/", op_type));
  append(name, op_type, std::move(inputs), {name}, std::move(attributes));
  return name;
}

void Emitter::result(Value value, std::string_view op_type, Names inputs, AttributeDefs attributes) {
  results({value}, op_type, std::move(inputs), std::move(attributes));
}

void Emitter::results(const std::vector<Value>& values, std::string_view op_type, Names inputs,
                      AttributeDefs attributes) {
  if (planning_) return;
  Names outputs;
  const std::string own = last_[node_name_] == node_ ? node_name_ : concat(node_name_, "/", op_type);
  const std::string base = node_name_.empty() ? std::string(op_type) : own;
  for (const Value value : values) {
    if (!value) {
      outputs.emplace_back();
      continue;
    }
    const auto known = names_.find(value);
    outputs.push_back(known != names_.end() ? known->second : fresh(base));
    names_[value] = outputs.back();
  }
  while (!outputs.empty() && outputs.back().empty()) outputs.pop_back();
  while (!inputs.empty() && inputs.back().empty()) inputs.pop_back();
  append(base, op_type, std::move(inputs), std::move(outputs), std::move(attributes));
}

void Emitter::alias(Value value, std::string name) {
  if (!planning_) names_[value] = std::move(name);
}

std::string Emitter::constant(const Tensor& tensor) {
  if (planning_) return "?";
  std::string key = to_string(tensor.type());
  key.append(reinterpret_cast<const char*>(tensor.data()), static_cast<size_t>(tensor.bytes()));
  const bool small = tensor.bytes() <= 64;
  if (const auto known = constants_.find(key); small && known != constants_.end()) return known->second;
  const std::string name = fresh("constant");
  append(name, "Constant", {}, {name}, {{"value", tensor}});
  if (small) constants_[key] = name;
  return name;
}

// With a name of its own it is an initialiser, unless that would make it a parameter when it is read.
void Emitter::leaf(Value value, const Tensor& tensor) {
  if (planning_) return;
  const bool named = !node_name_.empty() && last_.find(node_name_)->second == node_;
  if (!named || (is_float(tensor.dtype()) && tensor.shape().rank() > 0))
    return alias(value, constant(tensor));
  out_.initializers.push_back({fresh(node_name_), tensor});
  alias(value, out_.initializers.back().name);
}

std::string Emitter::ints(const Ints& values) {
  return constant(Tensor::from<int64_t>({static_cast<int64_t>(values.size())}, values));
}
std::string Emitter::integer(int64_t value) { return constant(Tensor::scalar(value)); }
std::string Emitter::scalar(DType dtype, double value) {
  return constant(from_doubles({dtype, {}}, std::array{value}));
}

// A free dimension is read from an input that has it.
std::string Emitter::size(const Dim& dim) {
  if (dim.is_static()) return ints({dim.size()});
  if (planning_) return "?";
  std::string& known = symbols_[std::string(dim.symbol_name())];
  for (const Port& port : graph.inputs) {
    const Shape& shape = graph.type(port.value).shape;
    for (int i = 0; known.empty() && i < shape.rank(); ++i) {
      if (shape[i].symbol_name() != dim.symbol_name()) continue;
      known = add("Gather", {add("Shape", {port.name}), ints({i})}, {attribute("axis", int64_t{0})});
      if (shape[i].factor() != 1) known = add("Div", {known, ints({shape[i].factor()})});
    }
  }
  if (known.empty()) unsupported(concat("no input has the free dimension ", to_string(dim)));
  return dim.factor() == 1 ? known : add("Mul", {known, ints({dim.factor()})});
}

std::string Emitter::shape_vector(const Shape& shape) {
  if (shape.is_static()) return ints(shape.sizes());
  Names parts;
  for (const Dim& dim : shape) parts.push_back(size(dim));
  return parts.size() == 1 ? parts[0] : add("Concat", parts, {attribute("axis", int64_t{0})});
}

// The sizes a Reshape is given: -1 for one free dimension, computed where there are more.
static std::optional<Ints> reshape_sizes(const Shape& shape) {
  Ints sizes;
  int free = 0;
  for (const Dim& dim : shape) {
    free += !dim.is_static();
    sizes.push_back(dim.is_static() ? dim.size() : -1);
  }
  const bool empty = std::find(sizes.begin(), sizes.end(), 0) != sizes.end();
  if (free > 1 || empty) return {};
  return sizes;
}

std::string Emitter::reshaped(Value value, const Shape& to) {
  if (shape(value) == to) return use(value);
  if (const Node* node = made_by(value, "constant"))
    return constant(node->attributes.get<Tensor>("value").reshaped(to));
  const std::optional<Ints> sizes = reshape_sizes(to);
  if (sizes) return add("Reshape", {use(value), ints(*sizes)});
  // Sizes of 0 must not copy; that word came with opset 14.
  AttributeDefs attributes;
  if (opset >= 14) attributes.push_back(attribute("allowzero", int64_t{1}));
  return add("Reshape", {use(value), shape_vector(to)}, attributes);
}

Emitter::Stripped Emitter::strip(Value value) const {
  const Node* node = made_by(value, "broadcast_in_dim");
  if (!node) return {value, shape(value)};
  const Value inner = node->inputs[0];
  const Ints& axes = node->attributes.get<Ints>("axes");
  std::vector<Dim> dims(static_cast<size_t>(node->outputs[0].shape.rank()), Dim(1));
  for (size_t i = 0; i < axes.size(); ++i)
    dims[static_cast<size_t>(axes[i])] = shape(inner)[static_cast<int>(i)];
  while (static_cast<int>(dims.size()) > shape(inner).rank() && dims.front() == Dim(1))
    dims.erase(dims.begin());
  return {inner, Shape(std::move(dims))};
}

static Shape joined(const Shape& x, const Shape& y) {
  const int rank = std::max(x.rank(), y.rank());
  std::vector<Dim> dims(static_cast<size_t>(rank));
  for (int i = 1; i <= rank; ++i) {
    const Dim a = i <= x.rank() ? x[x.rank() - i] : Dim(1), b = i <= y.rank() ? y[y.rank() - i] : Dim(1);
    dims[static_cast<size_t>(rank - i)] = a == Dim(1) ? b : a;
  }
  return Shape(std::move(dims));
}

void Emitter::elementwise(Value value, std::string_view op_type, const std::vector<Value>& operands,
                          AttributeDefs attributes) {
  std::vector<Stripped> stripped;
  for (const Value operand : operands) stripped.push_back(strip(operand));
  // Some operand must still span the result; else the broadcasts stay, from the first on.
  for (size_t i = 0; i < operands.size(); ++i) {
    Shape all = stripped[0].shape;
    for (const Stripped& each : stripped) all = joined(all, each.shape);
    if (all == shape(value)) break;
    stripped[i] = {operands[i], shape(operands[i])};
  }
  Names inputs;
  for (const Stripped& each : stripped) inputs.push_back(reshaped(each.value, each.shape));
  result(value, op_type, std::move(inputs), std::move(attributes));
}

void Emitter::unsupported(const std::string& why) const { throw Error(ErrorKind::unsupported, why); }

const Node* Emitter::made_by(Value value, std::string_view op) const {
  if (!value) return nullptr;
  const Node& node = graph.node(value);
  return node.op->name == op ? &node : nullptr;
}

bool Emitter::used_once(Value value) const { return uses_[static_cast<size_t>(value.node)] == 1; }

Value Emitter::through_broadcast(Value value) const {
  const Node* node = made_by(value, "broadcast_in_dim");
  return node ? node->inputs[0] : value;
}

std::optional<double> Emitter::number(Value value) const {
  const Node* node = made_by(through_broadcast(value), "constant");
  if (!node) return {};
  const Tensor& tensor = node->attributes.get<Tensor>("value");
  if (tensor.elements() == 0 || tensor.elements() > 4096) return {};
  const std::vector<double> values = is_float(tensor.dtype()) ? to_doubles(tensor) : std::vector<double>();
  if (values.empty() ||
      std::any_of(values.begin(), values.end(), [&](double each) { return each != values[0]; }))
    return {};
  return values[0];
}

}  // namespace temper::onnx
