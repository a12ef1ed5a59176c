#include <algorithm>
#include <cctype>
#include <cmath>

#include "ir/op.h"
#include "ir/text.h"

namespace temper {
namespace {

constexpr int64_t kInlineElements =
    64;  // constants up to this size print as numbers, larger ones as hex bytes

bool is_word(std::string_view text) {
  const auto part = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  return !text.empty() && !std::isdigit(static_cast<unsigned char>(text[0])) &&
         std::all_of(text.begin(), text.end(), part);
}

std::string in_quotes(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (byte < 0x20 || byte == 0x7f) {
      out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string print_real(double value) {
  std::string text = concat(value);
  return text.find_first_of(".einf") == std::string::npos ? text + ".0" : text;
}

std::string print_shape(const Shape& shape) {
  std::string out = "[";
  for (int i = 0; i < shape.rank(); ++i) {
    const Dim& dim = shape[i];
    if (i) out += ", ";
    if (dim.is_static()) {
      out += concat(dim.factor());
    } else {
      const std::string_view name = dim.symbol_name();
      if (dim.factor() != 1) out += concat(dim.factor(), "*");
      out += is_word(name) ? std::string(name) : in_quotes(name);
    }
  }
  return out + "]";
}

std::string print_type(const Type& type) { return concat(to_string(type.dtype), print_shape(type.shape)); }

std::string print_bytes(const Tensor& tensor) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "hex ";
  const std::byte* bytes = tensor.data();
  for (int64_t i = 0; i < tensor.bytes(); ++i) {
    out += kHex[static_cast<unsigned>(bytes[i]) >> 4];
    out += kHex[static_cast<unsigned>(bytes[i]) & 15];
  }
  return out;
}

std::string print_numbers(const Tensor& tensor) {
  if (!is_float(tensor.dtype())) return concat("{", join(to_int64s(tensor), ", "), "}");
  const std::vector<double> values = to_doubles(tensor);
  if (std::any_of(values.begin(), values.end(), [](double v) { return std::isnan(v); }))
    return print_bytes(tensor);
  if (bit_width(tensor.dtype()) > 32) return concat("{", join(values, ", "), "}");
  const std::vector<float> floats(values.begin(), values.end());  // exact, and prints shorter
  return concat("{", join(floats, ", "), "}");
}

std::string print_tensor(const Tensor& tensor, const PrintOptions& options) {
  const std::string head = concat("tensor ", print_type(tensor.type()), " ");
  const int64_t count = tensor.elements();
  if (options.elide_constants_over >= 0 && count > options.elide_constants_over) return head + "...";
  return head + (count <= kInlineElements ? print_numbers(tensor) : print_bytes(tensor));
}

struct AttributePrinter {
  const PrintOptions& options;
  std::string operator()(int64_t value) const { return concat(value); }
  std::string operator()(double value) const { return print_real(value); }
  std::string operator()(bool value) const { return concat(value); }
  std::string operator()(const std::string& value) const { return in_quotes(value); }
  std::string operator()(const Ints& values) const { return concat("[", join(values, ", "), "]"); }
  std::string operator()(const Reals& values) const {
    std::vector<std::string> texts;
    for (double value : values) texts.push_back(print_real(value));
    return concat("reals[", join(texts, ", "), "]");
  }
  std::string operator()(DType value) const { return std::string(to_string(value)); }
  std::string operator()(const Shape& value) const { return "shape" + print_shape(value); }
  std::string operator()(const Tensor& value) const { return print_tensor(value, options); }
};

std::string print_value(const Graph& graph, Value value) {
  if (!value) return "_";
  const std::string head = concat("%", value.node);
  return graph.node(value).outputs.size() == 1 ? head : concat(head, ".", value.index);
}

void print_body(std::string& out, const Graph& graph, const PrintOptions& options, const std::string& indent);

void print_node(std::string& out, const Graph& graph, int index, const PrintOptions& options,
                const std::string& indent) {
  const Node& node = graph.nodes()[static_cast<size_t>(index)];
  std::vector<std::string> inputs, attributes, types;
  for (Value input : node.inputs) inputs.push_back(print_value(graph, input));
  for (const auto& [name, value] : node.attributes.entries())
    attributes.push_back(concat(name, "=", std::visit(AttributePrinter{options}, value)));
  for (const Type& type : node.outputs) types.push_back(print_type(type));
  out +=
      concat(indent, "%", index, " = ", node.op->name, "@", node.op->version, "(", join(inputs, ", "), ")");
  if (!attributes.empty()) out += concat(" {", join(attributes, ", "), "}");
  if (!node.name.empty()) out += concat(" ", in_quotes(node.name));
  out += concat(" : ", join(types, ", "));
  for (const Graph& region : node.regions) {
    out += " (\n";
    print_body(out, region, options, indent + "  ");
    out += concat(indent, ")");
  }
  out += "\n";
}

void print_body(std::string& out, const Graph& graph, const PrintOptions& options,
                const std::string& indent) {
  for (int i = 0; i < graph.size(); ++i) print_node(out, graph, i, options, indent);
  for (const Port& port : graph.inputs)
    out += concat(indent, "in ", in_quotes(port.name), " ", print_value(graph, port.value), "\n");
  for (const Port& port : graph.outputs)
    out += concat(indent, "out ", in_quotes(port.name), " ", print_value(graph, port.value), "\n");
  for (const Donation& pair : graph.donations)
    out += concat(indent, "donate ", pair.input, " ", pair.output, "\n");
}

}  // namespace

std::string print(const Graph& graph, const PrintOptions& options) {
  std::string out = "temper.graph 1\n";
  print_body(out, graph, options, "");
  return out;
}

}  // namespace temper
