#include <cctype>
#include <limits>

#include "ir/builder.h"
#include "ir/text.h"

namespace temper {
namespace {

constexpr int kMaxDepth = 32;  // nested regions

// Recursive descent over the text; every error names line and column.
class Parser {
 public:
  Parser(std::string_view text, FindOp find) : text_(text), find_(find) {}

  Graph parse() {
    expect_word("temper.graph");
    if (integer() != 1) fail("version 1");
    Graph graph = body(0);
    if (!at_end()) fail("a node, in, out or donate");
    return graph;
  }

 private:
  [[noreturn]] void fail(std::string_view expected) const {
    int line = 1, column = 1;
    for (size_t i = 0; i < at_ && i < text_.size(); ++i) {
      if (text_[i] == '\n')
        ++line, column = 1;
      else
        ++column;
    }
    const std::string_view found = at_ < text_.size() ? text_.substr(at_, 12) : "the end";
    throw Error(ErrorKind::corrupt, concat("graph text, line ", line, ", column ", column, ": expected ",
                                           expected, ", found '", found.substr(0, found.find('\n')), "'"));
  }

  void skip() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }
  bool at_end() { return skip(), at_ >= text_.size(); }
  bool next_is(std::string_view token) { return skip(), text_.substr(at_).starts_with(token); }
  bool take(std::string_view token) {
    if (!next_is(token)) return false;
    at_ += token.size();
    return true;
  }
  void expect(std::string_view token) {
    if (!take(token)) fail(token);
  }

  std::string_view word() {
    skip();
    const size_t begin = at_;
    while (at_ < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_' || text_[at_] == '.'))
      ++at_;
    if (at_ == begin) fail("a word");
    return text_.substr(begin, at_ - begin);
  }
  void expect_word(std::string_view expected) {
    const size_t begin = at_;
    if (at_end() || word() != expected) at_ = begin, fail(expected);
  }

  std::string_view number_text() {
    skip();
    const size_t begin = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '.' ||
                                  text_[at_] == '-' || text_[at_] == '+'))
      ++at_;
    return text_.substr(begin, at_ - begin);
  }
  int64_t integer() {
    const size_t begin = (skip(), at_);
    int64_t value = 0;
    if (!parse_number(number_text(), value)) at_ = begin, fail("an integer");
    return value;
  }
  double real() {
    const size_t begin = (skip(), at_);
    double value = 0;
    if (!parse_number(number_text(), value)) at_ = begin, fail("a number");
    return value;
  }

  static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  }

  std::string quoted() {
    expect("\"");
    std::string out;
    for (; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] != '\\') {
        out += text_[at_];
        continue;
      }
      if (++at_ >= text_.size()) break;
      if (text_[at_] == 'x' && at_ + 2 < text_.size() && hex_digit(text_[at_ + 1]) >= 0 &&
          hex_digit(text_[at_ + 2]) >= 0) {
        out += static_cast<char>(hex_digit(text_[at_ + 1]) * 16 + hex_digit(text_[at_ + 2]));
        at_ += 2;
      } else {
        out += text_[at_];
      }
    }
    expect("\"");
    return out;
  }

  // item, item, ... up to `close`
  template <class Item>
  void list(std::string_view close, const Item& item) {
    if (take(close)) return;
    do item();
    while (take(","));
    expect(close);
  }

  Dim dim() {
    skip();
    int64_t factor = 1;
    if (at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_]))) {
      factor = integer();
      if (!take("*")) return factor;
    }
    const size_t begin = at_;
    const std::string symbol = next_is("\"") ? quoted() : std::string(word());
    if (symbol.empty()) at_ = begin, fail("the name of a free dimension");
    return Dim(factor, symbol);
  }
  Shape shape() {
    Shape result;
    expect("[");
    list("]", [&] { result.push_back(dim()); });
    return result;
  }
  DType dtype() {
    const size_t begin = at_;
    const std::optional<DType> found = dtype_from_string(word());
    if (!found) at_ = begin, fail("a dtype");
    return *found;
  }
  Type type() {
    const DType element = dtype();
    return {element, shape()};
  }

  Tensor hex_tensor(const Type& of) {
    skip();
    const size_t left = (text_.size() - at_) / 2;
    const int64_t bytes = byte_size(of);
    if (bytes < 0 || static_cast<uint64_t>(bytes) > left) fail(concat(bytes, " bytes in hex"));
    Tensor tensor(of);
    std::byte* data = tensor.mutable_data();
    for (int64_t i = 0; i < bytes; ++i, at_ += 2) {
      const int high = hex_digit(text_[at_]), low = hex_digit(text_[at_ + 1]);
      if (high < 0 || low < 0) fail("a hex digit");
      data[i] = static_cast<std::byte>(high * 16 + low);
    }
    return tensor;
  }

  Tensor tensor() {
    const Type of = type();
    if (!of.shape.is_static()) fail("a static shape before this");
    if (take("hex")) return hex_tensor(of);
    expect("{");
    std::vector<double> reals;
    Ints ints;
    list("}", [&] { is_float(of.dtype) ? reals.push_back(real()) : ints.push_back(integer()); });
    if (of.shape.elements() != static_cast<int64_t>(reals.size() + ints.size()))
      fail(concat(of.shape.elements(), " numbers before this"));
    return is_float(of.dtype) ? from_doubles(of, reals) : from_int64s(of, ints);
  }

  Attribute number() {
    const size_t begin = (skip(), at_);
    const std::string_view digits = number_text();
    if (digits.find_first_of(".einf") == std::string_view::npos) {
      int64_t value = 0;
      if (!parse_number(digits, value)) at_ = begin, fail("an attribute");
      return Attribute(value);
    }
    double value = 0;
    if (!parse_number(digits, value)) at_ = begin, fail("an attribute");
    return Attribute(value);
  }

  Attribute attribute() {
    if (next_is("\"")) return Attribute(quoted());
    if (take("[")) {
      Ints values;
      list("]", [&] { values.push_back(integer()); });
      return Attribute(values);
    }
    if (take("reals[")) {
      Reals values;
      list("]", [&] { values.push_back(real()); });
      return Attribute(values);
    }
    if (take("tensor ")) return Attribute(tensor());
    if (next_is("shape[")) return take("shape"), Attribute(shape());
    if (take("true")) return flag(true);
    if (take("false")) return flag(false);
    const size_t begin = (skip(), at_);
    if (at_ < text_.size() && std::isalpha(static_cast<unsigned char>(text_[at_]))) {
      if (const std::optional<DType> found = dtype_from_string(word())) return Attribute(*found);
      at_ = begin;
    }
    return number();
  }

  // A body under construction: what the text calls %N.
  using Names = std::unordered_map<int64_t, std::vector<Value>>;

  Value value(const Names& names) {
    if (take("_")) return {};
    expect("%");
    const size_t begin = at_;
    const std::string_view digits = number_text();
    const size_t dot = digits.find('.');
    int64_t node = 0, index = 0;
    if (!parse_number(digits.substr(0, dot), node) ||
        (dot != std::string_view::npos && !parse_number(digits.substr(dot + 1), index)))
      at_ = begin, fail("a value");
    const auto found = names.find(node);
    if (found == names.end() || index < 0 || index >= static_cast<int64_t>(found->second.size()))
      at_ = begin, fail("a value defined above");
    return found->second[static_cast<size_t>(index)];
  }

  const Op& op_name() {
    const size_t begin = (skip(), at_);
    const std::string_view name = word();
    const Op* found = find_(name);
    if (!found) at_ = begin, fail("the name of an op");
    expect("@");
    if (integer() != found->version) at_ = begin, fail(concat(name, "@", found->version));
    return *found;
  }

  void node(Builder& b, Names& names, int depth) {
    expect("%");
    const int64_t number = integer();
    expect("=");
    const Op& row = op_name();
    std::vector<Value> inputs;
    expect("(");
    list(")", [&] { inputs.push_back(value(names)); });
    Attributes attributes;
    if (take("{")) {
      list("}", [&] {
        const std::string name(word());
        expect("=");
        attributes.set(name, attribute());
      });
    }
    const std::string label = next_is("\"") ? quoted() : "";
    std::vector<Type> types;
    expect(":");
    do types.push_back(type());
    while (take(","));
    std::vector<Graph> regions;
    while (take("(")) {
      regions.push_back(body(depth + 1));
      expect(")");
    }
    const size_t end = at_;
    const std::vector<Value> results =
        emit(b, row, std::move(inputs), std::move(attributes), label, std::move(regions));
    at_ = end;
    bool equal = types.size() == results.size();
    for (size_t i = 0; equal && i < types.size(); ++i) equal = types[i] == b.type(results[i]);
    if (!equal) fail("the types that the op infers, before this");
    names[number] = results;
  }

  // A shape rule may find a required attribute missing or of the wrong kind: here that is the file's fault.
  std::vector<Value> emit(Builder& b, const Op& row, std::vector<Value> inputs, Attributes attributes,
                          const std::string& label, std::vector<Graph> regions) {
    try {
      return b.emit_all(row, std::move(inputs), std::move(attributes), label, std::move(regions));
    } catch (const Error& error) {
      fail(concat("a valid ", row.name, " before this (", error.what(), ")"));
    }
  }

  Graph body(int depth) {
    if (depth > kMaxDepth) fail("fewer nested regions");
    Graph graph;
    Builder b(graph);
    Names names;
    for (;;) {
      if (next_is("%")) {
        node(b, names, depth);
      } else if (take("in ")) {
        const std::string name = quoted();
        graph.inputs.push_back({name, value(names)});
      } else if (take("out ")) {
        const std::string name = quoted();
        graph.outputs.push_back({name, value(names)});
      } else if (take("donate ")) {
        const int64_t input = integer(), output = integer();
        const auto fits = [](int64_t position, const auto& ports) {
          return position >= 0 && position < static_cast<int64_t>(ports.size());
        };
        if (!fits(input, graph.inputs) || !fits(output, graph.outputs))
          fail("positions of ports before this");
        graph.donations.push_back({static_cast<int>(input), static_cast<int>(output)});
      } else {
        break;
      }
    }
    try {
      verify(graph);
    } catch (const Error& error) {
      fail(concat("a valid graph before this (", error.what(), ")"));
    }
    return graph;
  }

  std::string_view text_;
  FindOp find_;
  size_t at_ = 0;
};

}  // namespace

Graph parse_graph(std::string_view text, FindOp find) { return Parser(text, find).parse(); }

}  // namespace temper
