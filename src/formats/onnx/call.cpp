#include "formats/onnx/call.h"

#include <algorithm>
#include <cmath>

namespace temper::onnx {

Value Call::in(size_t i) {
  if (!has(i)) invalid("input ", i, " is missing");
  return scope.value(node.inputs[i]);
}

Value Call::fixed(size_t i) {
  if (!has(i)) invalid("input ", i, " is missing");
  return scope.fixed(node.inputs[i]);
}

Type Call::type(size_t i) {
  if (!has(i)) invalid("input ", i, " is missing");
  return scope.type(node.inputs[i]);
}

bool Call::wants(size_t output) const {
  return output < node.outputs.size() && !node.outputs[output].empty() && scope.wanted(node.outputs[output]);
}

int Call::rank(size_t i, int least) {
  const int found = rank(i);
  if (found < least) invalid("input ", node.inputs[i], " has rank ", found, ", expected at least ", least);
  return found;
}

Known Call::known(size_t i) {
  if (!has(i)) invalid("input ", i, " is missing");
  std::optional<Known> found = scope.known(node.inputs[i]);
  if (!found) unsupported("the value of input '", node.inputs[i], "' must be known when the model is read");
  return std::move(*found);
}

std::vector<Dim> Call::dims(size_t i) {
  Known found = known(i);
  if (is_float(found.dtype))
    invalid("input ", node.inputs[i], " holds ", to_string(found.dtype), ", expected integers");
  return std::move(found.ints);
}

Ints Call::integers(size_t i) {
  Ints result;
  for (const Dim& dim : dims(i)) {
    if (!dim.is_static())
      unsupported("input '", node.inputs[i], "' depends on the free dimension ", to_string(dim));
    result.push_back(dim.factor());
  }
  return result;
}

Reals Call::reals(size_t i) {
  Known found = known(i);
  if (!is_float(found.dtype)) {
    const Ints values = integers(i);
    return {values.begin(), values.end()};
  }
  return std::move(found.reals);
}

int64_t Call::integer(size_t i) {
  const Ints values = integers(i);
  if (values.size() != 1)
    invalid("input ", node.inputs[i], " holds ", values.size(), " values, expected one");
  return values[0];
}

double Call::real(size_t i) {
  const Reals values = reals(i);
  if (values.size() != 1)
    invalid("input ", node.inputs[i], " holds ", values.size(), " values, expected one");
  return values[0];
}

std::optional<double> Call::known_real(size_t i) {
  const std::optional<Known> found = scope.known(node.inputs[i]);
  if (!found || found->reals.size() != 1) return {};
  return found->reals[0];
}

const AttributeDef* Call::find(std::string_view name) {
  const auto found = std::find_if(node.attributes.begin(), node.attributes.end(),
                                  [&](const AttributeDef& attribute) { return attribute.name == name; });
  if (found == node.attributes.end()) return nullptr;
  read_.emplace(name);
  if (found->value.index() == 0) unsupported("attribute ", name, " holds ", found->kind);
  return &*found;
}

template <class T>
static const T& as(const Call& c, const AttributeDef& attribute, std::string_view kind) {
  const T* value = std::get_if<T>(&attribute.value);
  if (!value) c.invalid("attribute ", attribute.name, " is not ", kind);
  return *value;
}

bool Call::has(std::string_view name) { return find(name) != nullptr; }

int64_t Call::integer(std::string_view name, int64_t otherwise) {
  const AttributeDef* found = find(name);
  return found ? as<int64_t>(*this, *found, "an integer") : otherwise;
}

double Call::real(std::string_view name, double otherwise) {
  const AttributeDef* found = find(name);
  return found ? as<double>(*this, *found, "a number") : otherwise;
}

std::string Call::word(std::string_view name, std::string_view otherwise) {
  const AttributeDef* found = find(name);
  return found ? as<std::string>(*this, *found, "a word") : std::string(otherwise);
}

Ints Call::integers(std::string_view name) {
  const AttributeDef* found = find(name);
  return found ? as<Ints>(*this, *found, "a list of integers") : Ints();
}

Reals Call::reals(std::string_view name) {
  const AttributeDef* found = find(name);
  return found ? as<Reals>(*this, *found, "a list of numbers") : Reals();
}

const Tensor* Call::tensor(std::string_view name) {
  const AttributeDef* found = find(name);
  return found ? &as<Tensor>(*this, *found, "a tensor") : nullptr;
}

const GraphDef* Call::graph(std::string_view name) {
  const AttributeDef* found = find(name);
  return found ? as<std::shared_ptr<const GraphDef>>(*this, *found, "a graph").get() : nullptr;
}

int64_t Call::required(std::string_view name) {
  const AttributeDef* found = find(name);
  if (!found) invalid("attribute ", name, " is missing");
  return as<int64_t>(*this, *found, "an integer");
}

void Call::ignore(std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) read_.emplace(name);
}

std::vector<std::string> Call::unread() const {
  std::vector<std::string> result;
  for (const AttributeDef& attribute : node.attributes)
    if (!read_.contains(attribute.name)) result.push_back(attribute.name);
  return result;
}

int Call::axis(int64_t axis, int rank) const {
  if (axis < -rank || axis >= rank) invalid("axis ", axis, " is out of range for rank ", rank);
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

std::vector<int> Call::axes(const Ints& axes, int rank) const {
  std::set<int> result;
  for (const int64_t each : axes)
    if (!result.insert(axis(each, rank)).second) invalid("axis ", each, " is given twice");
  return {result.begin(), result.end()};
}

Value splat(Call& c, Value like, double value) {
  const Type& type = c.b.type(like);
  c.expect(is_float(type.dtype) || (std::trunc(value) == value && std::abs(value) < 0x1p63),
           to_string(type.dtype), " cannot hold ", value);
  return ops::full(c.b, type, value);
}

Value reshape_to(Call& c, Value x, std::vector<Dim> dims) {
  Shape shape(std::move(dims));
  const Shape& from = c.b.shape(x);
  const std::optional<Dim> same = ratio(from.dims(), shape.dims());
  bool empty_from = false, empty_to = false;
  for (const Dim& dim : from) empty_from |= dim == Dim(0);
  for (const Dim& dim : shape) empty_to |= dim == Dim(0);
  if (empty_from != empty_to || (!empty_to && same != Dim(1)))
    c.invalid(to_string(from), " cannot be reshaped to ", to_string(shape));
  return ops::reshape(c.b, x, shape);
}

Dim product(const Call& c, std::span<const Dim> dims) {
  const std::optional<Dim> result = ratio(dims, {});
  if (!result)
    c.unsupported("the product of ", to_string(Shape({dims.begin(), dims.end()})),
                  " is not a number times one symbol");
  return *result;
}

Value broadcast(Call& c, Value x, const Shape& shape) {
  const Shape& from = c.b.shape(x);
  bool fits = from.rank() <= shape.rank();
  for (int i = 1; fits && i <= from.rank(); ++i)
    fits = from[from.rank() - i] == Dim(1) || from[from.rank() - i] == shape[shape.rank() - i];
  if (!fits) c.invalid(to_string(from), " does not broadcast to ", to_string(shape));
  return from == shape ? x : ops::broadcast_to(c.b, x, shape);
}

Shape common_shape(const Call& c, const Shape& x, const Shape& y) {
  const int rank = std::max(x.rank(), y.rank());
  std::vector<Dim> dims(static_cast<size_t>(rank));
  for (int i = 1; i <= rank; ++i) {
    const Dim a = i <= x.rank() ? x[x.rank() - i] : Dim(1), b = i <= y.rank() ? y[y.rank() - i] : Dim(1);
    if (a != b && a != Dim(1) && b != Dim(1))
      c.invalid("shapes ", to_string(x), " and ", to_string(y), " do not broadcast");
    dims[static_cast<size_t>(rank - i)] = a == Dim(1) ? b : a;
  }
  return Shape(std::move(dims));
}

Value constant_ints(Builder& b, const Ints& values, const Shape& shape) {
  return b.constant(Tensor::from<int64_t>(shape, values));
}

Value with_axes(Call& c, Value x, const std::vector<int>& axes) {
  const Shape& shape = c.b.shape(x);
  std::vector<Dim> dims;
  size_t next = 0;
  const int rank = shape.rank() + static_cast<int>(axes.size());
  for (int i = 0, from = 0; i < rank; ++i) {
    const bool added = next < axes.size() && axes[next] == i;
    if (added) ++next;
    dims.push_back(added ? Dim(1) : shape[from++]);
  }
  return ops::reshape(c.b, x, Shape(std::move(dims)));
}

}  // namespace temper::onnx
