#pragma once
// What a function that reads one ONNX operator sees: the node, its operands in our graph, its attributes.
#include <functional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/text.h"
#include "formats/onnx/file.h"
#include "formats/onnx/known.h"
#include "ops/composites.h"
#include "ops/primitives.h"

namespace temper::onnx {

using Results = std::vector<Value>;  // one per output of the ONNX node; none for an output that is not wanted

// Where operands come from; the reader behind a Call.
class Scope {
 public:
  virtual ~Scope() = default;
  virtual Value value(const std::string& name) = 0;  // an initialiser becomes a parameter or a constant here
  virtual Value fixed(const std::string& name) = 0;  // the same, but an initialiser becomes a constant
  virtual Type type(const std::string& name) = 0;
  virtual std::optional<Known> known(const std::string& name) = 0;
  virtual bool wanted(const std::string& name) = 0;  // somebody reads it, or it is an output of the graph
  virtual void note(std::string text) = 0;
  virtual std::string_view free_batch() const = 0;  // the symbol that stands for a baked-in batch, or empty
  virtual Results inline_graph(const GraphDef& graph) = 0;  // a body with access to the names around it
};

class Call {
 public:
  Call(Builder& builder, Scope& scope, const NodeDef& node, int64_t opset)
      : b(builder), scope(scope), node(node), opset(opset) {}

  Builder& b;
  Scope& scope;
  const NodeDef& node;
  const int64_t opset;

  // operands
  bool has(size_t i) const { return i < node.inputs.size() && !node.inputs[i].empty(); }
  Value in(size_t i);                                         // Error invalid if absent
  Value fixed(size_t i);                                      // an operand that never trains, such as a scale
  Value maybe(size_t i) { return has(i) ? in(i) : Value(); }  // none if absent
  size_t count() const { return node.inputs.size(); }
  bool wants(size_t output) const;
  Type type(size_t i);
  Shape shape(size_t i) { return type(i).shape; }
  int rank(size_t i) { return shape(i).rank(); }
  int rank(size_t i, int least);  // Error invalid if less

  // operands read by value; Error unsupported names one that is not known
  std::vector<Dim> dims(size_t i);
  Ints integers(size_t i);
  Reals reals(size_t i);
  int64_t integer(size_t i);
  double real(size_t i);
  std::optional<double> known_real(size_t i);  // one number, if it is known

  // attributes; Error invalid if of another kind. What nobody asks for counts as unsupported.
  bool has(std::string_view name);
  int64_t integer(std::string_view name, int64_t otherwise);
  double real(std::string_view name, double otherwise);
  std::string word(std::string_view name, std::string_view otherwise);
  Ints integers(std::string_view name);  // empty if absent
  Reals reals(std::string_view name);
  const Tensor* tensor(std::string_view name);
  const GraphDef* graph(std::string_view name);
  int64_t required(std::string_view name);
  void ignore(std::initializer_list<std::string_view> names);  // they say nothing that is not known already
  std::vector<std::string> unread() const;

  // -rank <= axis < rank, as 0 <= axis < rank
  int axis(int64_t axis, int rank) const;
  std::vector<int> axes(const Ints& axes, int rank) const;  // ascending, each once

  template <class... Parts>
  [[noreturn]] void unsupported(const Parts&... parts) const {
    throw Error(ErrorKind::unsupported, temper::concat(parts...));
  }
  template <class... Parts>
  [[noreturn]] void invalid(const Parts&... parts) const {
    throw Error(ErrorKind::invalid, temper::concat(parts...));
  }
  template <class... Parts>
  void expect(bool condition, const Parts&... parts) const {
    if (!condition) invalid(parts...);
  }

 private:
  const AttributeDef* find(std::string_view name);
  Known known(size_t i);

  std::set<std::string, std::less<>> read_;
};

// A row of the table of ONNX operators.
struct Row {
  std::string_view name;
  int since, until;  // opsets, inclusive
  Results (*read)(Call&);
};
inline constexpr int kNewest = 27;

std::span<const Row> elementwise_rows();
std::span<const Row> activation_rows();
std::span<const Row> shape_rows();
std::span<const Row> slicing_rows();
std::span<const Row> index_rows();
std::span<const Row> reduce_rows();
std::span<const Row> matmul_rows();
std::span<const Row> conv_rows();
std::span<const Row> pool_rows();
std::span<const Row> normalization_rows();
std::span<const Row> resize_rows();
std::span<const Row> quantization_rows();
std::span<const Row> control_rows();

const Row* find_row(std::string_view name, int64_t opset);  // null if there is none
bool known_operator(std::string_view name);                 // at any opset

// What several operators do with their operands
Value convolve(Call& c, Value x, Value w, Value bias);  // reads Conv's attributes; bias may be none
Value multiply_matrices(Call& c, Value x, Value y);     // vectors are a row or a column that vanishes again

// Small idioms
Value splat(Call& c, Value like,
            double value);  // the type of `like`, filled; Error invalid if it is too narrow
Value reshape_to(Call& c, Value x, std::vector<Dim> dims);          // Error invalid if the products differ
Dim product(const Call& c, std::span<const Dim> dims);              // Error unsupported with two symbols
Value broadcast(Call& c, Value x, const Shape& shape);              // Error invalid if it does not fit
Shape common_shape(const Call& c, const Shape& x, const Shape& y);  // NumPy's rule
Value constant_ints(Builder& b, const Ints& values, const Shape& shape);
Value with_axes(Call& c, Value x, const std::vector<int>& axes);  // size-1 axes at those places of the result

}  // namespace temper::onnx
