// Operators that rearrange: shapes, axes, constants made from shapes.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "formats/onnx/call.h"

namespace temper::onnx {

namespace {

// A target whose sizes hold for one sample, while axis 0 of x counts a free batch: the batch goes to axis 0.
bool takes_batch(const Call& c, const Shape& from, const std::vector<Dim>& to) {
  const std::string_view symbol = c.scope.free_batch();
  if (symbol.empty() || from.rank() == 0 || to.empty() || from[0].symbol_name() != symbol) return false;
  int64_t before = 1, after = 1;
  for (const Dim& dim : from) {
    if (__builtin_mul_overflow(before, dim.factor(), &before)) return false;
  }
  for (const Dim& dim : to) {
    if (!dim.is_static() || __builtin_mul_overflow(after, dim.factor(), &after)) return false;
  }
  return before == after;
}

Results reshape(Call& c) {
  const Value x = c.in(0);
  const Shape& from = c.b.shape(x);
  std::vector<Dim> to = c.dims(1);
  const bool zero_copies = c.integer("allowzero", 0) == 0;
  int rest = -1;
  std::vector<Dim> others;
  for (size_t i = 0; i < to.size(); ++i) {
    if (to[i] == Dim(0) && zero_copies) {
      c.expect(static_cast<int>(i) < from.rank(), "size 0 at axis ", i, " has nothing to copy from ",
               to_string(from));
      to[i] = from[static_cast<int>(i)];
    }
    if (to[i] == Dim(-1)) {
      c.expect(rest < 0, "two sizes are -1");
      rest = static_cast<int>(i);
    } else {
      c.expect(to[i].factor() >= 0, "size ", to[i].factor(), " is negative");
      others.push_back(to[i]);
    }
  }
  if (rest >= 0) {
    const std::optional<Dim> size = ratio(from.dims(), others);
    if (!size)
      c.unsupported(to_string(from), " over ", to_string(Shape(others)), " is not a number times one symbol");
    to[static_cast<size_t>(rest)] = *size;
  } else if (takes_batch(c, from, to)) {
    to[0] = Dim(to[0].factor(), c.scope.free_batch());
  }
  return {reshape_to(c, x, std::move(to))};
}

Results flatten(Call& c) {
  const Value x = c.in(0);
  const Shape& from = c.b.shape(x);
  const int64_t given = c.integer("axis", 1);
  const int axis = given == from.rank() ? from.rank() : c.axis(given, std::max(from.rank(), 1));
  const std::span<const Dim> dims(from.dims());
  return {reshape_to(c, x,
                     {product(c, dims.first(static_cast<size_t>(axis))),
                      product(c, dims.subspan(static_cast<size_t>(axis)))})};
}

Results transpose(Call& c) {
  const int rank = c.rank(0);
  Ints permutation = c.integers("perm");
  if (permutation.empty()) {
    permutation.resize(static_cast<size_t>(rank));
    std::iota(permutation.rbegin(), permutation.rend(), 0);
  }
  c.expect(static_cast<int>(permutation.size()) == rank &&
               static_cast<int>(c.axes(permutation, rank).size()) == rank,
           "attribute perm does not name each of ", rank, " axes once");
  for (int64_t& axis : permutation) axis = c.axis(axis, rank);
  return {ops::transpose(c.b, c.in(0), permutation)};
}

Value squeeze_axes(Call& c, const Ints* given) {
  const Shape& shape = c.shape(0);
  std::vector<int> axes;
  if (given) axes = c.axes(*given, shape.rank());
  std::vector<Dim> dims;
  for (int i = 0; i < shape.rank(); ++i) {
    const bool named = std::find(axes.begin(), axes.end(), i) != axes.end();
    const bool rebatched =
        named && i == 0 && !c.scope.free_batch().empty() && shape[0] == Dim::symbol(c.scope.free_batch());
    if (rebatched) c.unsupported("squeezes the batch axis");
    c.expect(!named || shape[i] == Dim(1), "axis ", i, " of ", to_string(shape), " is not 1");
    if (given ? !named : shape[i] != Dim(1)) dims.push_back(shape[i]);
  }
  return reshape_to(c, c.in(0), std::move(dims));
}
Results squeeze_attribute(Call& c) {
  const Ints axes = c.integers("axes");
  return {squeeze_axes(c, axes.empty() ? nullptr : &axes)};
}
Results squeeze(Call& c) {
  if (!c.has(1)) return {squeeze_axes(c, nullptr)};
  const Ints axes = c.integers(1);
  return {squeeze_axes(c, &axes)};
}

Value unsqueeze_axes(Call& c, const Ints& axes) {
  return with_axes(c, c.in(0), c.axes(axes, c.rank(0) + static_cast<int>(axes.size())));
}
Results unsqueeze_attribute(Call& c) { return {unsqueeze_axes(c, c.integers("axes"))}; }
Results unsqueeze(Call& c) { return {unsqueeze_axes(c, c.integers(1))}; }

Results expand(Call& c) {
  std::vector<Dim> to = c.dims(1);
  for (const Dim& dim : to) c.expect(dim.factor() >= 0, "size ", dim.factor(), " is negative");
  const Shape& from = c.shape(0);
  // A target computed for one sample: size 1 at the batch axis changes nothing.
  return {broadcast(c, c.in(0), common_shape(c, from, Shape(std::move(to))))};
}

Results tile(Call& c) {
  const Value x = c.in(0);
  const std::vector<Dim> repeats = c.dims(1);
  const Shape from = c.b.shape(x);
  c.expect(static_cast<int>(repeats.size()) == from.rank(), repeats.size(), " repeats for rank ",
           from.rank());
  std::vector<Dim> spread, merged;  // [r0, d0, r1, d1, ...] -> [r0 d0, r1 d1, ...]
  Ints axes;
  for (int i = 0; i < from.rank(); ++i) {
    const Dim& repeat = repeats[static_cast<size_t>(i)];
    c.expect(repeat.factor() >= 0, "repeat ", repeat.factor(), " is negative");
    spread.push_back(repeat);
    spread.push_back(from[i]);
    axes.push_back(2 * i + 1);
    merged.push_back(product(c, std::array{repeat, from[i]}));
  }
  return {reshape_to(c, ops::broadcast_in_dim(c.b, x, Shape(spread), axes), std::move(merged))};
}

// A vector of dimensions as a value: constants, and dimension_size where they are free.
Results shape_of(Call& c) {
  const Value x = c.in(0);
  const Shape shape = c.b.shape(x);
  const auto clamped = [&](int64_t axis) {
    return std::clamp<int64_t>(axis < 0 ? axis + shape.rank() : axis, 0, shape.rank());
  };
  const int64_t start = clamped(c.integer("start", 0)), end = clamped(c.integer("end", shape.rank()));
  std::vector<Value> parts;
  for (int64_t i = start; i < end; ++i) {
    const Dim& dim = shape[static_cast<int>(i)];
    parts.push_back(dim.is_static()
                        ? constant_ints(c.b, {dim.size()}, {1})
                        : ops::reshape(c.b, ops::dimension_size(c.b, x, i, DType::i64), Shape{1}));
  }
  if (parts.empty()) return {constant_ints(c.b, {}, {0})};
  return {parts.size() == 1 ? parts[0] : ops::concat(c.b, parts, 0)};
}

Results size_of(Call& c) {
  const Value x = c.in(0);
  const Shape shape = c.b.shape(x);
  Value total = constant_ints(c.b, {1}, {});
  for (int i = 0; i < shape.rank(); ++i) {
    const Dim& dim = shape[i];
    total = ops::mul(
        c.b, total,
        dim.is_static() ? constant_ints(c.b, {dim.size()}, {}) : ops::dimension_size(c.b, x, i, DType::i64));
  }
  if (shape.is_static()) total = constant_ints(c.b, {shape.elements()}, {});
  return {total};
}

Results constant(Call& c) {
  if (const Tensor* tensor = c.tensor("value")) return {c.b.constant(*tensor)};
  if (const Tensor* tensor = c.tensor("sparse_value")) return {c.b.constant(*tensor)};
  if (c.has("value_float"))
    return {c.b.constant(Tensor::scalar(static_cast<float>(c.real("value_float", 0))))};
  if (c.has("value_int")) return {c.b.constant(Tensor::scalar(c.integer("value_int", 0)))};
  if (c.has("value_ints")) {
    const Ints values = c.integers("value_ints");
    return {constant_ints(c.b, values, {static_cast<int64_t>(values.size())})};
  }
  if (c.has("value_floats")) {
    const Reals values = c.reals("value_floats");
    return {c.b.constant(from_doubles({DType::f32, {static_cast<int64_t>(values.size())}}, values))};
  }
  c.unsupported("a constant of neither tensor, number nor numbers");
}

Results constant_of_shape(Call& c) {
  std::vector<Dim> dims = c.dims(0);
  for (const Dim& dim : dims) c.expect(dim.factor() >= 0, "size ", dim.factor(), " is negative");
  const Tensor* tensor = c.tensor("value");
  c.expect(!tensor || tensor->elements() == 1, "attribute value holds ", tensor ? tensor->elements() : 0,
           " values, expected one");
  const Value value = c.b.constant(tensor ? tensor->reshaped({}) : Tensor::scalar(0.0f));
  return {broadcast(c, value, Shape(std::move(dims)))};
}

// start + i delta. Integer ranges may have a symbolic length.
Results range(Call& c) {
  const DType dtype = c.type(0).dtype;
  const Shape scalar;
  if (is_float(dtype)) {
    const double start = c.real(0), limit = c.real(1), delta = c.real(2);
    c.expect(delta != 0, "delta is 0");
    const double length = std::max(0.0, std::ceil((limit - start) / delta));
    if (!(length < 0x1p31)) c.unsupported("a range of ", length, " values");
    const Shape shape{static_cast<int64_t>(length)};
    const Value steps = ops::iota(c.b, dtype, shape, 0);
    return {ops::add(c.b, ops::mul(c.b, steps, ops::full(c.b, {dtype, shape}, delta)),
                     ops::full(c.b, {dtype, shape}, start))};
  }
  const int64_t start = c.integer(0), delta = c.integer(2);
  const std::vector<Dim> limits = c.dims(1);
  c.expect(delta != 0 && limits.size() == 1, "delta is 0, or the limit no scalar");
  Dim length = limits[0];
  if (length.is_static()) {
    const double steps = std::ceil((static_cast<double>(length.factor()) - static_cast<double>(start)) /
                                   static_cast<double>(delta));
    if (!(steps < 0x1p31)) c.unsupported("a range of ", steps, " values");
    length = static_cast<int64_t>(std::max(0.0, steps));
  } else if (start != 0 || delta != 1) {
    c.unsupported("a range to ", to_string(length), " must start at 0 and step by 1");
  }
  const Shape shape{length};
  const Value base = ops::broadcast_to(c.b, c.b.constant(from_int64s({dtype, {}}, std::array{start})), shape);
  const Value step = ops::broadcast_to(c.b, c.b.constant(from_int64s({dtype, {}}, std::array{delta})), shape);
  if (start == 0 && delta == 1) return {ops::iota(c.b, dtype, shape, 0)};
  return {ops::add(c.b, ops::mul(c.b, ops::iota(c.b, dtype, shape, 0), step), base)};
}

Results trilu(Call& c) {
  const int rank = c.rank(0, 2);
  const int64_t k = c.has(1) ? c.integer(1) : 0;
  const bool upper = c.integer("upper", 1) != 0;
  const Value x = c.in(0);
  const Type index{DType::i64, c.b.shape(x)};
  const Value row = ops::iota(c.b, DType::i64, index.shape, rank - 2),
              column = ops::iota(c.b, DType::i64, index.shape, rank - 1);
  const Value shift = ops::broadcast_to(
      c.b, constant_ints(c.b, {std::clamp<int64_t>(k, -(int64_t{1} << 40), int64_t{1} << 40)}, {}),
      index.shape);
  const Value keep = ops::compare(c.b, column, ops::add(c.b, row, shift), upper ? "ge" : "le");
  return {ops::select(c.b, keep, x, splat(c, x, 0))};
}

Results eye_like(Call& c) {
  const Shape shape = c.shape(0);
  c.expect(shape.rank() == 2, "rank ", shape.rank(), ", expected 2");
  const int64_t number = c.integer("dtype", to_number(c.type(0).dtype)), k = c.integer("k", 0);
  const std::optional<DType> dtype = dtype_of_number(static_cast<int>(number));
  if (!dtype) c.unsupported("attribute dtype ", describe_number(static_cast<int>(number)));
  const Value row = ops::iota(c.b, DType::i64, shape, 0), column = ops::iota(c.b, DType::i64, shape, 1);
  const Value shift = ops::broadcast_to(c.b, constant_ints(c.b, {k}, {}), shape);
  return {ops::convert(c.b, ops::compare(c.b, column, ops::add(c.b, row, shift), "eq"), *dtype)};
}

// [n, c, h b, w b] <-> [n, c b b, h, w]
Results depth_to_space(Call& c) {
  const Value x = c.in(0);
  const Shape s = c.b.shape(x);
  const int64_t block = c.required("blocksize");
  const std::string mode = c.word("mode", "DCR");
  c.expect(s.rank() == 4 && s[1].is_static() && block > 0 && block < (1 << 15) &&
               s[1].size() % (block * block) == 0,
           to_string(s), " cannot be unfolded by blocks of ", block);
  c.expect(mode == "DCR" || mode == "CRD", "attribute mode is '", mode, "', expected DCR or CRD");
  const Dim depth = s[1].size() / (block * block);
  const bool depth_last = mode == "DCR";
  const Value split = reshape_to(c, x,
                                 depth_last ? std::vector<Dim>{s[0], block, block, depth, s[2], s[3]}
                                            : std::vector<Dim>{s[0], depth, block, block, s[2], s[3]});
  const Value turned =
      ops::transpose(c.b, split, depth_last ? Ints{0, 3, 4, 1, 5, 2} : Ints{0, 1, 4, 2, 5, 3});
  return {reshape_to(
      c, turned,
      {s[0], depth, product(c, std::array{s[2], Dim(block)}), product(c, std::array{s[3], Dim(block)})})};
}

Results space_to_depth(Call& c) {
  const Value x = c.in(0);
  const Shape s = c.b.shape(x);
  const int64_t block = c.required("blocksize");
  c.expect(s.rank() == 4 && block > 0 && block < (1 << 15), to_string(s), " cannot be folded by blocks of ",
           block);
  const std::optional<Dim> height = divide(s[2], block), width = divide(s[3], block);
  c.expect(height && width && multiply(*height, block) == s[2] && multiply(*width, block) == s[3],
           to_string(s), " is no multiple of blocks of ", block);
  const Value split = reshape_to(c, x, {s[0], s[1], *height, block, *width, block});
  const Value turned = ops::transpose(c.b, split, {0, 3, 5, 1, 2, 4});
  return {reshape_to(c, turned, {s[0], product(c, std::array{s[1], Dim(block * block)}), *height, *width})};
}

constexpr std::array kRows{
    Row{"Reshape", 5, kNewest, reshape},
    Row{"Flatten", 1, kNewest, flatten},
    Row{"Transpose", 1, kNewest, transpose},
    Row{"Squeeze", 1, 12, squeeze_attribute},
    Row{"Squeeze", 13, kNewest, squeeze},
    Row{"Unsqueeze", 1, 12, unsqueeze_attribute},
    Row{"Unsqueeze", 13, kNewest, unsqueeze},
    Row{"Expand", 8, kNewest, expand},
    Row{"Tile", 6, kNewest, tile},
    Row{"Shape", 1, kNewest, shape_of},
    Row{"Size", 1, kNewest, size_of},
    Row{"Constant", 1, kNewest, constant},
    Row{"ConstantOfShape", 9, kNewest, constant_of_shape},
    Row{"Range", 11, kNewest, range},
    Row{"Trilu", 14, kNewest, trilu},
    Row{"EyeLike", 9, kNewest, eye_like},
    Row{"DepthToSpace", 1, kNewest, depth_to_space},
    Row{"SpaceToDepth", 1, kNewest, space_to_depth},
};

}  // namespace

std::span<const Row> shape_rows() { return kRows; }

}  // namespace temper::onnx
