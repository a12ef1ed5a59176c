#include "temper/expression.h"

#include <deque>
#include <map>

#include "api/devices.h"
#include "base/text.h"
#include "grad/gradient.h"
#include "ir/text.h"
#include "ops/composites.h"
#include "ops/primitives.h"
#include "ops/registry.h"
#include "runtime/compile.h"
#include "runtime/registry.h"
#include "temper/error.h"

namespace temper {

struct ExpressionAccess {
  static Expression make(Builder& b, Value value) {
    Expression expression;
    expression.builder_ = &b;
    expression.node_ = value.node;
    expression.index_ = value.index;
    return expression;
  }
  static Builder& builder(const Expression& x) {
    if (!x) throw Error(ErrorKind::invalid, "an Expression without a value; make it by Function::input");
    return *static_cast<Builder*>(x.builder_);
  }
  static Value value(const Expression& x) { return {x.node_, x.index_}; }
};

namespace {

using Access = ExpressionAccess;

template <class Emit>
Expression map(const Expression& x, const Emit& emit) {
  Builder& b = Access::builder(x);
  return Access::make(b, emit(b, Access::value(x)));
}

template <class Emit>
Expression combine(const Expression& x, const Expression& y, const Emit& emit) {
  Builder& b = Access::builder(x);
  if (&Access::builder(y) != &b) throw Error(ErrorKind::invalid, "two Expressions of different Functions");
  return Access::make(b, emit(b, Access::value(x), Access::value(y)));
}

std::vector<Expression> expressions(Builder& b, std::span<const Value> values) {
  std::vector<Expression> result;
  for (Value value : values) result.push_back(value ? Access::make(b, value) : Expression());
  return result;
}

std::vector<Value> values(const std::vector<Expression>& expressions) {
  std::vector<Value> result;
  for (const Expression& expression : expressions) result.push_back(Access::value(expression));
  return result;
}

}  // namespace

Type Expression::type() const { return Access::builder(*this).type(Access::value(*this)); }

Expression operator+(Expression x, Expression y) {
  return combine(x, y, [](Builder& b, Value u, Value v) { return ops::add(b, u, v); });
}
Expression operator-(Expression x, Expression y) {
  return combine(x, y, [](Builder& b, Value u, Value v) { return ops::sub(b, u, v); });
}
Expression operator*(Expression x, Expression y) {
  return combine(x, y, [](Builder& b, Value u, Value v) { return ops::mul(b, u, v); });
}
Expression operator/(Expression x, Expression y) {
  return combine(x, y, [](Builder& b, Value u, Value v) { return ops::div(b, u, v); });
}
Expression operator-(Expression x) { return map(x, ops::neg); }
Expression operator+(Expression x, double y) {
  return map(x, [y](Builder& b, Value u) { return ops::add(b, u, y); });
}
Expression operator-(Expression x, double y) {
  return map(x, [y](Builder& b, Value u) { return ops::sub(b, u, y); });
}
Expression operator*(Expression x, double y) {
  return map(x, [y](Builder& b, Value u) { return ops::mul(b, u, y); });
}
Expression operator/(Expression x, double y) {
  return map(x, [y](Builder& b, Value u) { return ops::div(b, u, y); });
}

Expression matmul(Expression x, Expression y) { return combine(x, y, ops::matmul); }
Expression maximum(Expression x, Expression y) {
  return combine(x, y, [](Builder& b, Value u, Value v) { return ops::max(b, u, v); });
}
Expression minimum(Expression x, Expression y) {
  return combine(x, y, [](Builder& b, Value u, Value v) { return ops::min(b, u, v); });
}
Expression abs(Expression x) { return map(x, ops::abs); }
Expression exp(Expression x) { return map(x, ops::exp); }
Expression log(Expression x) { return map(x, ops::log); }
Expression sqrt(Expression x) { return map(x, ops::sqrt); }
Expression tanh(Expression x) { return map(x, ops::tanh); }
Expression sigmoid(Expression x) { return map(x, ops::sigmoid); }
Expression relu(Expression x) { return map(x, ops::relu); }
Expression gelu(Expression x) {
  return map(x, [](Builder& b, Value u) { return ops::gelu(b, u, false); });
}
Expression softmax(Expression x, int64_t axis) {
  return map(x, [axis](Builder& b, Value u) { return ops::softmax(b, u, axis); });
}
Expression sum(Expression x, const std::vector<int64_t>& axes) {
  return map(x, [&](Builder& b, Value u) { return ops::reduce_sum(b, u, axes); });
}
Expression mean(Expression x, const std::vector<int64_t>& axes) {
  return map(x, [&](Builder& b, Value u) { return ops::reduce_mean(b, u, axes); });
}
Expression reshape(Expression x, const Shape& shape) {
  return map(x, [&](Builder& b, Value u) { return ops::reshape(b, u, shape); });
}
Expression transpose(Expression x, const std::vector<int64_t>& permutation) {
  return map(x, [&](Builder& b, Value u) { return ops::transpose(b, u, permutation); });
}

std::vector<Expression> gradient(Expression y, const std::vector<Expression>& wrt) {
  Builder& b = Access::builder(y);
  return expressions(b, gradient(b, Access::value(y), values(wrt)));
}

namespace {

// Rows of the op table are plain functions, so what a CustomOp captured is found again by its row. Rows and
// names live as long as the process.
struct Definition {
  CustomOp custom;
  Op row;
};
std::deque<Definition>& definitions() {
  static std::deque<Definition> all;
  return all;
}

const CustomOp& definition_of(const Op* row) {
  for (const Definition& definition : definitions()) {
    if (&definition.row == row) return definition.custom;
  }
  TEMPER_CHECK(false, "an op without definition");
}

std::vector<Value> decompose_custom(Builder& b, const NodeView& view) {
  return values(definition_of(view.node.op).forward(expressions(b, view.inputs)));
}

std::vector<Type> infer_custom(const InferContext& context) {
  Graph scratch;
  Builder b(scratch);
  std::vector<Value> inputs;
  for (size_t i = 0; i < context.inputs.size(); ++i)
    inputs.push_back(context.present[i] ? b.input(concat("input.", i), context.inputs[i]) : Value{});
  std::vector<Type> types;
  for (const Expression& result : definition_of(&context.op).forward(expressions(b, inputs)))
    types.push_back(result.type());
  if (types.empty()) context.fail("its forward function gives nothing");
  return types;
}

std::vector<Value> custom_gradient(Builder& b, const VjpContext& context) {
  const CustomOp& custom = definition_of(context.node.op);
  std::vector<Expression> gradients;
  for (size_t i = 0; i < context.cotangents.size(); ++i) {
    const Value cotangent = context.cotangents[i];
    gradients.push_back(Access::make(b, cotangent ? cotangent : ops::zeros(b, context.node.outputs[i])));
  }
  return values(custom.backward(expressions(b, context.inputs), gradients));
}

}  // namespace

AppliedOp define_op(CustomOp custom) {
  if (custom.name.empty() || !custom.forward)
    throw Error(ErrorKind::invalid, "an op needs a name and a forward function");
  Definition& definition = definitions().emplace_back();
  definition.custom = std::move(custom);
  definition.row = {.name = definition.custom.name,
                    .primitive = false,
                    .summary = "defined by the program",
                    .infer = infer_custom,
                    .decompose = decompose_custom,
                    .vjp = definition.custom.backward ? custom_gradient : nullptr};
  const Op* row = &definition.row;
  register_op(*row);
  return [row](const std::vector<Expression>& inputs) {
    if (inputs.empty()) throw Error(ErrorKind::invalid, concat(row->name, ": expected an input"));
    Builder& b = Access::builder(inputs.front());
    return expressions(b, b.emit_all(*row, values(inputs)));
  };
}

struct Function::Body {
  Graph graph;
  Builder builder{graph};
  std::map<std::string, std::unique_ptr<Executable>, std::less<>> compiled;
};

Function::Function() : body_(std::make_unique<Body>()) {}
Function::~Function() = default;
Function::Function(Function&&) noexcept = default;
Function& Function::operator=(Function&&) noexcept = default;

Expression Function::input(std::string_view name, const Type& type) {
  body_->compiled.clear();
  return Access::make(body_->builder, body_->builder.input(name, type));
}

void Function::output(std::string_view name, Expression value) {
  if (&Access::builder(value) != &body_->builder)
    throw Error(ErrorKind::invalid, "an output of another Function");
  body_->compiled.clear();
  body_->builder.output(name, Access::value(value));
}

std::string Function::text() const { return print(body_->graph, {.elide_constants_over = 64}); }

std::vector<Tensor> Function::operator()(const std::vector<Tensor>& inputs, std::string_view device_name) {
  register_devices();
  Device& device = open_device(device_name);
  auto found = body_->compiled.find(device_name);
  if (found == body_->compiled.end())
    found = body_->compiled.emplace(std::string(device_name), compile(device, body_->graph)).first;
  const Executable& executable = *found->second;
  const Program& program = executable.program();
  if (inputs.size() != program.inputs.size())
    throw Error(ErrorKind::invalid,
                concat("expected ", program.inputs.size(), " inputs, found ", inputs.size()));
  std::vector<Tensor> arguments, results(program.outputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].empty() || inputs[i].type() != program.inputs[i].type)
      throw Error(ErrorKind::invalid,
                  concat("input '", program.inputs[i].name, "': expected ", to_string(program.inputs[i].type),
                         ", found ", inputs[i].empty() ? "nothing" : to_string(inputs[i].type())));
    arguments.push_back(upload(device, inputs[i], program.inputs[i]));
  }
  executable.run(*executable.make_context(), arguments, results);
  for (Tensor& result : results) result = download(device, result);
  return results;
}

}  // namespace temper
