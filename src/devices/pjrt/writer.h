#pragma once
// Appends operations to StableHLO text. Names of values are unique in the module. The text is to be the same
// whatever compiles this: no call has two arguments that each emit, for their order is open; between braces
// it is not.
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "devices/pjrt/types.h"
#include "ir/graph.h"

namespace temper::pjrt {

struct Printed {  // a value in the text
  std::string name;
  Type type;
  bool number = false;  // known not to hold NaN
};
using PrintedList = std::vector<Printed>;

class Writer {
 public:
  const std::string& text() const { return text_; }
  void line(std::string_view text);
  Printed fresh(Type type);

  // "stablehlo.`op`"(operands) (`regions`) {`attributes`}; the prefix is left away from `op`.
  Printed emit(std::string_view op, std::span<const Printed> operands, const Type& result,
               std::string_view attributes = {}, std::span<const std::string> regions = {});
  PrintedList emit_all(std::string_view op, std::span<const Printed> operands, std::vector<Type> results,
                       std::string_view attributes = {}, std::span<const std::string> regions = {});
  Printed emit(std::string_view op, std::initializer_list<Printed> operands, const Type& result,
               std::string_view attributes = {}, std::span<const std::string> regions = {}) {
    return emit(op, std::span(operands.begin(), operands.size()), result, attributes, regions);
  }

  // "({ ^bb0(arguments): ... return })" with what `body` gives for the arguments.
  std::string region(const std::vector<Type>& arguments,
                     const std::function<PrintedList(const PrintedList&)>& body);

  Printed constant(const Tensor& value);
  Printed scalar(DType dtype, double value);
  Printed full(const Type& type, double value);

  Printed convert(const Printed& x, DType dtype);  // x itself if it has that dtype
  Printed compare(const Printed& x, const Printed& y, std::string_view direction);  // "LT"
  Printed extreme(std::string_view op, const Printed& x, const Printed& y);         // "maximum" or "minimum"
  Printed select(const Printed& predicate, const Printed& on_true, const Printed& on_false);

  // The nodes of `graph` for these arguments; what its outputs are.
  PrintedList graph(const Graph& graph, const PrintedList& arguments);

 private:
  std::string text_;
  int depth_ = 1;
  int64_t next_ = 0;
};

std::string array_text(const Ints& values);                     // "array<i64: 1, 2>"
std::string pairs_text(const Ints& first, const Ints& second);  // "dense<[[0, 1]]> : tensor<1x2xi64>"

// How one op is written, and what is against it.
struct Printer {
  std::string_view op;
  PrintedList (*print)(Writer&, const Node&, std::span<const Printed> operands);
  std::string (*why_not)(const Graph&, const Node&) = nullptr;  // null: nothing
};
const Printer* find_printer(std::string_view op);  // null if there is none
// By family; a file each.
std::span<const Printer> map_printers();
std::span<const Printer> move_printers();
std::span<const Printer> index_printers();
std::span<const Printer> reduce_printers();
std::span<const Printer> contraction_printers();
std::span<const Printer> control_printers();

}  // namespace temper::pjrt
