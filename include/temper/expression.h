#pragma once
// Computations of one's own: write them with operators, run them on a device, differentiate them, add ops.
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "temper/tensor.h"

namespace temper {

// A value in a Function under construction. Cheap to copy; valid as long as the Function it belongs to.
// Operators and the functions below broadcast like NumPy and throw Error invalid when shapes or dtypes do not
// fit. The values of two Functions do not mix.
class TEMPER_API Expression {
 public:
  Expression() = default;  // none
  Type type() const;
  explicit operator bool() const { return node_ >= 0; }

 private:
  friend struct ExpressionAccess;
  void* builder_ = nullptr;
  int32_t node_ = -1, index_ = 0;
};

TEMPER_API Expression operator+(Expression x, Expression y);
TEMPER_API Expression operator-(Expression x, Expression y);
TEMPER_API Expression operator*(Expression x, Expression y);
TEMPER_API Expression operator/(Expression x, Expression y);
TEMPER_API Expression operator-(Expression x);
TEMPER_API Expression operator+(Expression x, double y);
TEMPER_API Expression operator-(Expression x, double y);
TEMPER_API Expression operator*(Expression x, double y);
TEMPER_API Expression operator/(Expression x, double y);

TEMPER_API Expression matmul(Expression x, Expression y);  // [..., m, k] x [..., k, n]
TEMPER_API Expression maximum(Expression x, Expression y);
TEMPER_API Expression minimum(Expression x, Expression y);
TEMPER_API Expression abs(Expression x);
TEMPER_API Expression exp(Expression x);
TEMPER_API Expression log(Expression x);
TEMPER_API Expression sqrt(Expression x);
TEMPER_API Expression tanh(Expression x);
TEMPER_API Expression sigmoid(Expression x);
TEMPER_API Expression relu(Expression x);
TEMPER_API Expression gelu(Expression x);
TEMPER_API Expression softmax(Expression x, int64_t axis);
TEMPER_API Expression sum(Expression x, const std::vector<int64_t>& axes);   // the axes vanish
TEMPER_API Expression mean(Expression x, const std::vector<int64_t>& axes);  // the axes vanish
TEMPER_API Expression reshape(Expression x, const Shape& shape);
TEMPER_API Expression transpose(Expression x, const std::vector<int64_t>& permutation);

// The gradient of sum(y) with respect to each of `wrt`. Error unsupported names an op on the way that has
// none.
TEMPER_API std::vector<Expression> gradient(Expression y, const std::vector<Expression>& wrt);

// An op by the ops it stands for, perhaps with a gradient of its own. Devices fuse what it is made of.
struct CustomOp {
  std::string name;  // unique in the process
  // Inputs to outputs; called for each use, with values of that Function.
  std::function<std::vector<Expression>(const std::vector<Expression>& inputs)> forward;
  // Inputs and the gradient of each output to the gradient of each input (none: zero). Unset: that of
  // `forward`.
  std::function<std::vector<Expression>(const std::vector<Expression>& inputs,
                                        const std::vector<Expression>& gradients)>
      backward;
};

// Adds an op to the table, for the life of the process, and gives the function that applies it. Error invalid
// if the name is taken. Not while graphs are being built by other threads.
using AppliedOp = std::function<std::vector<Expression>(const std::vector<Expression>& inputs)>;
TEMPER_API AppliedOp define_op(CustomOp op);

// A computation with named inputs and outputs. Not for several threads at once.
class TEMPER_API Function {
 public:
  Function();
  ~Function();
  Function(Function&&) noexcept;
  Function& operator=(Function&&) noexcept;

  Expression input(std::string_view name, const Type& type);
  void output(std::string_view name, Expression value);

  // Host tensors in the order of the inputs; compiled for the device on first use. `device` as in `temper
  // --device`. Error invalid for a tensor that does not fit, device if there is no such device, unsupported
  // naming the nodes that it cannot run.
  std::vector<Tensor> operator()(const std::vector<Tensor>& inputs, std::string_view device = "cpu");

  std::string text() const;  // the graph, a line for each node

 private:
  struct Body;
  std::unique_ptr<Body> body_;
};

}  // namespace temper
