// Regions. A call is written in place; a scan is a while with a counter; what a region captures it reads from
// outside.
#include "base/check.h"
#include "devices/pjrt/writer.h"

namespace temper::pjrt {

namespace {

using Operands = std::span<const Printed>;

PrintedList print_barrier(Writer& w, const Node& node, Operands x) {
  return {w.emit("optimization_barrier", x, node.outputs[0])};
}

PrintedList print_call(Writer& w, const Node& node, Operands x) {
  return w.graph(node.regions[0], PrintedList(x.begin(), x.end()));
}

PrintedList print_cond(Writer& w, const Node& node, Operands x) {
  std::vector<std::string> regions;
  for (const Graph& region : node.regions) {
    regions.push_back(w.region(
        {}, [&](const PrintedList&) { return w.graph(region, PrintedList(x.begin() + 1, x.end())); }));
  }
  return w.emit_all("if", x.first(1), node.outputs, {}, regions);
}

std::vector<Type> types_of(std::span<const Printed> values) {
  std::vector<Type> types;
  for (const Printed& value : values) types.push_back(value.type);
  return types;
}

PrintedList print_while(Writer& w, const Node& node, Operands x) {
  const auto carries = static_cast<size_t>(node.attributes.get<int64_t>("carries"));
  const auto with_captured = [&](PrintedList arguments) {
    arguments.insert(arguments.end(), x.begin() + static_cast<std::ptrdiff_t>(carries), x.end());
    return arguments;
  };
  std::vector<std::string> regions;
  for (const Graph& region : node.regions) {
    regions.push_back(w.region(types_of(x.first(carries)),
                               [&](const PrintedList& in) { return w.graph(region, with_captured(in)); }));
  }
  return w.emit_all("while", x.first(carries), node.outputs, {}, regions);
}

// Slices of x along axis 0.
class Slices {
 public:
  explicit Slices(Writer& w) : w_(w), zero_(w.scalar(DType::i64, 0)) {}

  Printed read(const Printed& x, const Printed& at, const Type& slice) {
    const Type one = stacked(slice);
    return w_.emit("reshape",
                   {w_.emit("dynamic_slice", operands({x}, at, one), one,
                            concat("slice_sizes = ", array_text(one.shape.sizes())))},
                   slice);
  }
  Printed write(const Printed& y, const Printed& at, const Printed& slice) {
    const Type one = stacked(slice.type);
    return w_.emit("dynamic_update_slice", operands({y, w_.emit("reshape", {slice}, one)}, at, one), y.type);
  }

 private:
  static Type stacked(const Type& slice) {
    Type type{slice.dtype, {1}};
    for (const Dim& dim : slice.shape) type.shape.push_back(dim);
    return type;
  }
  PrintedList operands(PrintedList values, const Printed& at, const Type& one) const {
    values.push_back(at);
    values.insert(values.end(), static_cast<size_t>(one.shape.rank() - 1), zero_);
    return values;
  }

  Writer& w_;
  Printed zero_;
};

PrintedList print_scan(Writer& w, const Node& node, Operands x) {
  const auto carries = static_cast<size_t>(node.attributes.get<int64_t>("carries")),
             xs = static_cast<size_t>(node.attributes.get<int64_t>("xs"));
  const bool reverse = node.attributes.get<bool>("reverse");
  const Graph& body = node.regions[0];
  const auto rounds = node.attributes.get<int64_t>("length");
  const Printed length = w.scalar(DType::i64, static_cast<double>(rounds));
  const Printed one = w.scalar(DType::i64, 1);
  Slices slices(w);
  PrintedList state{w.scalar(DType::i64, 0)};  // the round, the carries, what is stacked
  state.insert(state.end(), x.begin(), x.begin() + static_cast<std::ptrdiff_t>(carries));
  for (size_t i = carries; i < node.outputs.size(); ++i) state.push_back(w.full(node.outputs[i], 0));
  if (rounds == 0) return {state.begin() + 1, state.end()};
  const auto round = [&](const PrintedList& in) {
    const Printed next = w.emit("add", {in[0], one}, one.type);
    const Printed at = reverse ? w.emit("subtract", {length, next}, one.type) : in[0];
    PrintedList arguments(in.begin() + 1, in.begin() + 1 + static_cast<std::ptrdiff_t>(carries));
    for (size_t i = carries; i < x.size(); ++i) {
      const bool sliced = i < carries + xs;
      arguments.push_back(sliced ? slices.read(x[i], at, body.type(body.inputs[i].value)) : x[i]);
    }
    const PrintedList results = w.graph(body, arguments);
    PrintedList out{next};
    for (size_t i = 0; i < results.size(); ++i)
      out.push_back(i < carries ? results[i] : slices.write(in[i + 1], at, results[i]));
    return out;
  };
  const std::vector<Type> types = types_of(state);
  const std::string regions[] = {
      w.region(types, [&](const PrintedList& in) -> PrintedList { return {w.compare(in[0], length, "LT")}; }),
      w.region(types, round)};
  PrintedList results = w.emit_all("while", state, types, {}, regions);
  results.erase(results.begin());
  return results;
}

constexpr Printer kPrinters[] = {
    {"barrier", print_barrier},  {"call", print_call}, {"cond", print_cond},
    {"while_loop", print_while}, {"scan", print_scan},
};

}  // namespace

std::span<const Printer> control_printers() { return kPrinters; }

}  // namespace temper::pjrt
