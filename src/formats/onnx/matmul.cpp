// Matrix products and einsum.
#include <algorithm>
#include <array>
#include <map>

#include "formats/onnx/call.h"

namespace temper::onnx {

namespace {

// alpha A' B' + beta C; transposition goes into the contraction, so that weights stay as the file has them.
Results gemm(Call& c) {
  const Value x = c.in(0), y = c.in(1);
  c.expect(c.rank(0) == 2 && c.rank(1) == 2, "operands have ranks ", c.rank(0), " and ", c.rank(1),
           ", expected 2");
  const int64_t x_axis = c.integer("transA", 0) != 0 ? 0 : 1, y_axis = c.integer("transB", 0) != 0 ? 1 : 0;
  const double alpha = c.real("alpha", 1), beta = c.real("beta", 1);
  c.expect(c.b.shape(x)[static_cast<int>(x_axis)] == c.b.shape(y)[static_cast<int>(y_axis)] &&
               c.b.dtype(x) == c.b.dtype(y),
           to_string(c.b.type(x)), " and ", to_string(c.b.type(y)), " cannot be multiplied");
  Value result = ops::dot_general(c.b, x, y, {{}, {}, {x_axis}, {y_axis}});
  if (alpha != 1) result = ops::mul(c.b, result, splat(c, result, alpha));
  if (!c.has(2)) return {result};
  Value bias = c.in(2);
  if (beta != 1) bias = ops::mul(c.b, bias, splat(c, bias, beta));
  return {ops::add(c.b, result, broadcast(c, bias, c.b.shape(result)))};
}

// The matrix whose transpose `y` is, if it is one. A product reads it as it lies: a transposed weight would
// be computed ahead and kept beside the weight.
Value transposed(const Call& c, Value y) {
  const Node& node = c.b.graph().node(y);
  const bool turned = node.op->name == "transpose" && node.attributes.get<Ints>("permutation") == Ints{1, 0};
  return turned ? node.inputs[0] : Value{};
}

}  // namespace

Value multiply_matrices(Call& c, Value x, Value y) {
  const bool row = c.b.shape(x).rank() == 1, column = c.b.shape(y).rank() == 1;
  c.expect(c.b.dtype(x) == c.b.dtype(y), "operands are ", to_string(c.b.dtype(x)), " and ",
           to_string(c.b.dtype(y)));
  if (row) x = with_axes(c, x, {0});
  if (column) y = with_axes(c, y, {1});
  const Shape left = c.b.shape(x), right = c.b.shape(y);
  c.expect(left[left.rank() - 1] == right[right.rank() - 2], to_string(left), " and ", to_string(right),
           " cannot be multiplied");
  const std::vector<Dim> outer_left(left.begin(), left.end() - 2),
      outer_right(right.begin(), right.end() - 2);
  common_shape(c, Shape(outer_left), Shape(outer_right));
  const Value stored = transposed(c, y);
  const Value result =
      stored ? ops::dot_general(c.b, x, stored, {{}, {}, {left.rank() - 1}, {1}}) : ops::matmul(c.b, x, y);
  if (!row && !column) return result;
  std::vector<Dim> dims = c.b.shape(result).dims();
  if (column) dims.pop_back();
  if (row) dims.erase(dims.end() - (column ? 1 : 2));
  return reshape_to(c, result, std::move(dims));
}

namespace {

Results matmul(Call& c) {
  c.rank(0, 1), c.rank(1, 1);
  return {multiply_matrices(c, c.in(0), c.in(1))};
}

// --- einsum ---

struct Term {
  Value value;
  std::string labels;  // one letter per axis; digits stand for the axes of "..."
};

struct Equation {
  std::vector<std::string> inputs;
  std::string output;
  bool explicit_output = false;
};

Equation parse_equation(const Call& c, const std::string& given) {
  Equation equation;
  std::string text;
  for (const char letter : given)
    if (letter != ' ') text += letter;
  const size_t arrow = text.find("->");
  equation.explicit_output = arrow != std::string::npos;
  if (equation.explicit_output) equation.output = text.substr(arrow + 2);
  for (const std::string_view part : split(std::string_view(text).substr(0, arrow), ','))
    equation.inputs.emplace_back(part);
  c.expect(equation.inputs.size() == c.count(), "equation '", given, "' has ", equation.inputs.size(),
           " terms for ", c.count(), " inputs");
  return equation;
}

// "..." becomes one digit per axis it stands for, the last one '9', so that terms align at the right.
std::string expand_dots(const Call& c, const std::string& labels, int rank) {
  const size_t dots = labels.find("...");
  std::string result = labels;
  if (dots != std::string::npos) {
    const int extra = rank - static_cast<int>(labels.size() - 3);
    c.expect(extra >= 0 && extra <= 10, "term '", labels, "' does not fit rank ", rank);
    std::string digits;
    for (int i = 0; i < extra; ++i) digits += static_cast<char>('0' + 10 - extra + i);
    result.replace(dots, 3, digits);
  }
  c.expect(static_cast<int>(result.size()) == rank, "term '", labels, "' does not fit rank ", rank);
  for (const char label : result)
    c.expect(std::isalnum(static_cast<unsigned char>(label)) != 0, "term '", labels, "' holds '", label, "'");
  return result;
}

// x[i, i] for a label that stands twice: everything off the diagonal is dropped, then summed away.
void take_diagonals(Call& c, Term& term) {
  for (size_t i = 0; i < term.labels.size(); ++i) {
    const size_t j = term.labels.find(term.labels[i], i + 1);
    if (j == std::string::npos) continue;
    const Shape shape = c.b.shape(term.value);
    c.expect(shape[static_cast<int>(i)] == shape[static_cast<int>(j)], "label '", term.labels[i],
             "' has two sizes");
    const Value row = ops::iota(c.b, DType::i64, shape, static_cast<int64_t>(i)),
                column = ops::iota(c.b, DType::i64, shape, static_cast<int64_t>(j));
    const Value kept =
        ops::select(c.b, ops::compare(c.b, row, column, "eq"), term.value, splat(c, term.value, 0));
    term.value = ops::reduce_sum(c.b, kept, {static_cast<int64_t>(j)});
    term.labels.erase(j, 1);
    --i;
  }
}

// Sums out the labels that nobody after this term needs.
void sum_out(Call& c, Term& term, const std::string& needed) {
  Ints axes;
  std::string kept;
  for (size_t i = 0; i < term.labels.size(); ++i) {
    if (needed.find(term.labels[i]) == std::string::npos)
      axes.push_back(static_cast<int64_t>(i));
    else
      kept += term.labels[i];
  }
  if (axes.empty()) return;
  term.value = ops::reduce_sum(c.b, term.value, axes);
  term.labels = kept;
}

// Axes of size 1 that meet a larger one under the same label are dropped: they broadcast.
void drop_ones(Call& c, Term& term, const Term& other) {
  std::vector<Dim> dims;
  std::string kept;
  const Shape &mine = c.b.shape(term.value), &theirs = c.b.shape(other.value);
  for (size_t i = 0; i < term.labels.size(); ++i) {
    const size_t j = other.labels.find(term.labels[i]);
    const Dim dim = mine[static_cast<int>(i)];
    if (j != std::string::npos && dim != theirs[static_cast<int>(j)]) {
      c.expect(dim == Dim(1) || theirs[static_cast<int>(j)] == Dim(1), "label '", term.labels[i],
               "' has sizes ", to_string(dim), " and ", to_string(theirs[static_cast<int>(j)]));
      if (dim == Dim(1)) continue;
    }
    dims.push_back(dim);
    kept += term.labels[i];
  }
  if (kept.size() == term.labels.size()) return;
  term.value = reshape_to(c, term.value, std::move(dims));
  term.labels = kept;
}

Term contract(Call& c, Term x, Term y, const std::string& needed) {
  const Term before = x;
  drop_ones(c, x, y);
  drop_ones(c, y, before);
  sum_out(c, x, needed + y.labels);
  sum_out(c, y, needed + x.labels);
  ops::DotDims dims;
  std::string batch, x_free, y_free;
  for (size_t i = 0; i < x.labels.size(); ++i) {
    const size_t j = y.labels.find(x.labels[i]);
    if (j == std::string::npos) {
      x_free += x.labels[i];
      continue;
    }
    const bool stays = needed.find(x.labels[i]) != std::string::npos;
    (stays ? dims.x_batch : dims.x_contract).push_back(static_cast<int64_t>(i));
    (stays ? dims.y_batch : dims.y_contract).push_back(static_cast<int64_t>(j));
    if (stays) batch += x.labels[i];
  }
  for (const char label : y.labels)
    if (x.labels.find(label) == std::string::npos) y_free += label;
  return {ops::dot_general(c.b, x.value, y.value, dims), batch + x_free + y_free};
}

std::string implied_output(const std::vector<Term>& terms) {
  std::map<char, int> count;
  for (const Term& term : terms)
    for (const char label : term.labels) ++count[label];
  std::string digits, letters;
  for (const auto& [label, times] : count) {
    if (std::isdigit(static_cast<unsigned char>(label)) != 0)
      digits += label;
    else if (times == 1)
      letters += label;
  }
  return digits + letters;
}

Results einsum(Call& c) {
  const Equation equation = parse_equation(c, c.word("equation", ""));
  std::vector<Term> terms;
  size_t dots = 0;
  for (size_t i = 0; i < c.count(); ++i) {
    terms.push_back({c.in(i), expand_dots(c, equation.inputs[i], c.rank(i))});
    dots = std::max(dots, static_cast<size_t>(std::count_if(terms[i].labels.begin(), terms[i].labels.end(),
                                                            [](char label) { return label <= '9'; })));
  }
  std::string output = implied_output(terms);
  if (equation.explicit_output) {
    const size_t letters =
        equation.output.size() - (equation.output.find("...") == std::string::npos ? 0 : 3);
    const bool has_dots = letters != equation.output.size();
    output = expand_dots(c, equation.output, static_cast<int>(letters + (has_dots ? dots : 0)));
  }
  for (Term& term : terms) take_diagonals(c, term);
  Term result = terms[0];
  for (size_t i = 1; i < terms.size(); ++i) {
    std::string needed = output;
    for (size_t j = i + 1; j < terms.size(); ++j) needed += terms[j].labels;
    result = contract(c, result, terms[i], needed);
  }
  sum_out(c, result, output);
  Ints permutation;
  for (const char label : output) {
    const size_t at = result.labels.find(label);
    c.expect(at != std::string::npos, "output label '", label, "' is in no term");
    permutation.push_back(static_cast<int64_t>(at));
  }
  c.expect(permutation.size() == result.labels.size(), "output '", equation.output, "' names a label twice");
  return {ops::transpose(c.b, result.value, permutation)};
}

constexpr std::array kRows{
    Row{"Gemm", 7, kNewest, gemm},
    Row{"MatMul", 1, kNewest, matmul},
    Row{"Einsum", 12, kNewest, einsum},
};

}  // namespace

std::span<const Row> matmul_rows() { return kRows; }

}  // namespace temper::onnx
