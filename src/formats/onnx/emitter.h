#pragma once
// Our graph as ONNX nodes. Every node is visited twice by the same rule: first from the outputs back, when
// `use` only marks what is needed (so what a pattern swallows is never written), then forward, when nodes are
// made.
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "formats/onnx/file.h"
#include "ir/op.h"
#include "model/model.h"

namespace temper::onnx {

using Names = std::vector<std::string>;
using AttributeDefs = std::vector<AttributeDef>;

class Emitter {
 public:
  Emitter(const Model& model, int opset);
  GraphDef write();  // Error unsupported names every node that ONNX has no form for

  const Graph& graph;
  const int opset;

  // --- for rules ---
  std::string use(Value value);  // its name; demands that it be written; "" for an absent value
  std::string add(std::string_view op_type, Names inputs,
                  AttributeDefs attributes = {});  // a helper node: its output's name
  void result(Value value, std::string_view op_type, Names inputs,
              AttributeDefs attributes = {});  // the node that makes `value`
  void results(const std::vector<Value>& values, std::string_view op_type, Names inputs,
               AttributeDefs attributes = {});
  void alias(Value value, std::string name);  // `value` is what already has that name
  std::string constant(const Tensor& tensor);
  void leaf(Value value, const Tensor& tensor);  // what a constant of the graph holds
  std::string ints(const Ints& values);          // i64 vector
  std::string integer(int64_t value);            // i64 scalar
  std::string scalar(DType dtype, double value);
  std::string shape_vector(const Shape& shape);  // i64 vector, computed at run time where dimensions are free
  std::string size(const Dim& dim);              // i64 vector of one
  // An operand of an operator that broadcasts, without the broadcast in front of it.
  void elementwise(Value value, std::string_view op_type, const std::vector<Value>& operands,
                   AttributeDefs attributes = {});
  std::string reshaped(Value value, const Shape& shape);
  [[noreturn]] void unsupported(const std::string& why) const;

  // --- for patterns ---
  const Shape& shape(Value value) const { return graph.type(value).shape; }
  DType dtype(Value value) const { return graph.type(value).dtype; }
  const Node* made_by(Value value, std::string_view op) const;  // null if another op makes it
  bool used_once(Value value) const;
  bool wanted(Value value) const { return needed_.contains(value); }
  std::optional<double> number(Value value) const;  // what a constant holds everywhere
  Value through_broadcast(Value value) const;       // what a broadcast_in_dim spreads, else the value

 private:
  struct Stripped {
    Value value;
    Shape shape;  // what the operand is reshaped to; its own if nothing is to be done
  };
  Stripped strip(Value value) const;
  void visit(int node);
  std::string fresh(std::string_view wanted);
  void append(std::string_view name, std::string_view op_type, Names inputs, Names outputs,
              AttributeDefs attributes);
  void name_values();

  const Model& model_;
  bool planning_ = true;
  std::set<Value> needed_;
  std::vector<int> uses_;  // by node
  std::map<Value, std::string> names_;
  std::set<std::string, std::less<>> taken_;
  std::map<std::string, std::string> constants_;  // by bytes
  std::map<std::string, std::string, std::less<>> symbols_;
  std::map<std::string, int, std::less<>>
      last_;  // by name: the node that keeps it; those before get their operator's
  std::set<std::string, std::less<>> node_names_;
  int node_ = 0;  // what is being written
  std::string node_name_;
  GraphDef out_;
};

struct WriteRow {
  std::string_view op;
  void (*write)(Emitter&, const Node&, Value);  // Value: output 0
};
std::span<const WriteRow> map_write_rows();
std::span<const WriteRow> move_write_rows();
std::span<const WriteRow> index_write_rows();
std::span<const WriteRow> reduce_write_rows();
std::span<const WriteRow> contraction_write_rows();
std::span<const WriteRow> layer_write_rows();
const WriteRow* find_write_row(std::string_view op);

inline AttributeDef attribute(std::string_view name, int64_t value) { return {std::string(name), value}; }
inline AttributeDef attribute(std::string_view name, double value) { return {std::string(name), value}; }
inline AttributeDef attribute(std::string_view name, const Ints& value) { return {std::string(name), value}; }
inline AttributeDef attribute(std::string_view name, std::string_view value) {
  return {std::string(name), std::string(value)};
}

}  // namespace temper::onnx
