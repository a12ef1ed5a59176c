// Interpolation along axes: the rules and words of ONNX Resize, version 19 (onnx/onnx docs/Operators.md).
#include <algorithm>
#include <cmath>

#include "ops/composite.h"
#include "ops/composites.h"

namespace temper::ops {

static Attributes attributes_of(const Resize& r) {
  return {{"sizes", r.sizes},
          {"scales", r.scales},
          {"mode", word(r.mode)},
          {"coordinates", word(r.coordinates)},
          {"nearest", word(r.nearest)},
          {"cubic_a", real(r.cubic_a)},
          {"exclude_outside", flag(r.exclude_outside)},
          {"antialias", flag(r.antialias)},
          {"roi", r.roi},
          {"extrapolation", real(r.extrapolation)}};
}

static Resize resize_of(const Attributes& a) {
  return {.sizes = a.get<Ints>("sizes"),
          .scales = a.get<Reals>("scales"),
          .mode = a.get<std::string>("mode"),
          .coordinates = a.get<std::string>("coordinates"),
          .nearest = a.get<std::string>("nearest"),
          .cubic_a = a.get<double>("cubic_a"),
          .exclude_outside = a.get<bool>("exclude_outside"),
          .antialias = a.get<bool>("antialias"),
          .roi = a.get<Reals>("roi"),
          .extrapolation = a.get<double>("extrapolation")};
}

Value resize(Builder& b, Value x, const Resize& attributes) {
  return b.emit(resize_op, {x}, attributes_of(attributes));
}

static void require_word(const InferContext& context, std::string_view name, const std::string& found,
                         std::initializer_list<std::string_view> known) {
  if (std::ranges::find(known, found) == known.end())
    fail(context, name, " must be one of ", join(known, ", "), ", is ", found);
}

static std::vector<Type> infer_resize(const InferContext& context) {
  require_inputs(context, 1, 1);
  const Type& x = require(context, 0, "x");
  const Resize r = resize_of(context.attributes);
  require_word(context, "mode", r.mode, {"nearest", "linear", "cubic"});
  require_word(context, "coordinates", r.coordinates,
               {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
                "tf_crop_and_resize"});
  require_word(context, "nearest", r.nearest, {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"});
  const auto rank = static_cast<size_t>(x.shape.rank());
  if (r.mode != "nearest" && !is_float(x.dtype))
    fail(context, r.mode, " needs a float input, x is ", to_string(x));
  if (r.sizes.size() != rank || r.scales.size() != rank)
    fail(context, "sizes and scales must have one entry for each axis of ", to_string(x));
  if (r.coordinates == "tf_crop_and_resize" && r.roi.size() != 2 * rank)
    fail(context, "roi must have two entries for each axis of ", to_string(x), ", has ", r.roi.size());
  Shape shape = x.shape;
  for (size_t i = 0; i < rank; ++i) {
    Dim& dim = shape[static_cast<int>(i)];
    if (r.sizes[i] == -1) continue;
    if (!dim.is_static() || dim.size() < 1)
      fail(context, "axis ", i, " of ", to_string(x), " cannot be resized");
    if (r.sizes[i] < 1 || r.sizes[i] > INT32_MAX || !(r.scales[i] > 0) || !std::isfinite(r.scales[i]))
      fail(context, "axis ", i, " cannot have size ", r.sizes[i], " and scale ", r.scales[i]);
    dim = r.sizes[i];
  }
  return {{x.dtype, shape}};
}

// One axis: where each result element reads, `taps` places each, and with what weight.
namespace {
struct Taps {
  int64_t taps = 1;
  std::vector<int64_t> places;   // [size, taps]
  std::vector<double> weights;   // [size, taps]
  std::vector<int64_t> outside;  // [size]: 1 where the result is the extrapolation value
  bool any_outside = false;
};

struct Axis {
  int64_t before, after;
  double scale, start, end;  // start, end: of the region of interest
};
}  // namespace

// Where result element `i` lies in the input.
static double coordinate(const Resize& r, const Axis& axis, double i) {
  const double before = static_cast<double>(axis.before), after = axis.scale * before;  // after: not rounded
  if (r.coordinates == "asymmetric") return i / axis.scale;
  if (r.coordinates == "align_corners") return after == 1 ? 0 : i * (before - 1) / (after - 1);
  if (r.coordinates == "tf_crop_and_resize") {
    if (after == 1) return (axis.start + axis.end) * (before - 1) / 2;
    return axis.start * (before - 1) + i * (axis.end - axis.start) * (before - 1) / (after - 1);
  }
  const double half_pixel = (i + 0.5) / axis.scale - 0.5;
  if (r.coordinates == "pytorch_half_pixel") return axis.after == 1 ? 0 : half_pixel;
  if (r.coordinates == "half_pixel_symmetric")
    return before / 2 * (1 - static_cast<double>(axis.after) / after) + half_pixel;
  return half_pixel;
}

static int64_t nearest_place(const std::string& rule, double x) {
  if (rule == "floor") return static_cast<int64_t>(std::floor(x));
  if (rule == "ceil") return static_cast<int64_t>(std::ceil(x));
  if (rule == "round_prefer_ceil") return static_cast<int64_t>(std::floor(x + 0.5));
  return static_cast<int64_t>(std::ceil(x - 0.5));
}

// Weight of a place at distance `d`. Cubic: Keys, "Cubic convolution interpolation for digital image
// processing", 1981.
static double kernel(const Resize& r, double d) {
  d = std::abs(d);
  if (r.mode == "linear") return std::max(0.0, 1 - d);
  const double a = r.cubic_a;
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

// Weights of the places around x: places past an edge read the edge, or count for nothing.
static void interpolate(const Resize& r, const Axis& axis, double x, double squeeze, int64_t reach,
                        Taps& to) {
  const int64_t base = static_cast<int64_t>(std::ceil(x)) - 1;  // x - base is in (0, 1]
  const size_t begin = to.weights.size();
  double sum = 0;
  for (int64_t place = base - reach + 1; place <= base + reach; ++place) {
    const bool inside = place >= 0 && place < axis.before;
    const double weight =
        inside || !r.exclude_outside ? kernel(r, (static_cast<double>(place) - x) * squeeze) : 0;
    to.places.push_back(std::clamp<int64_t>(place, 0, axis.before - 1));
    to.weights.push_back(weight);
    sum += weight;
  }
  if (r.exclude_outside || squeeze < 1) {
    for (size_t i = begin; i < to.weights.size(); ++i) to.weights[i] /= sum;
  }
}

static Taps taps_of(const Resize& r, const Axis& axis) {
  Taps result;
  const double squeeze = r.antialias ? std::min(axis.scale, 1.0) : 1;
  const double width = r.mode == "cubic" ? 2 : 1;
  const auto reach = static_cast<int64_t>(std::ceil(width / squeeze));
  if (r.mode != "nearest") result.taps = 2 * reach;
  for (int64_t i = 0; i < axis.after; ++i) {
    const double x = coordinate(r, axis, static_cast<double>(i));
    const bool outside =
        r.coordinates == "tf_crop_and_resize" && (x < 0 || x > static_cast<double>(axis.before - 1));
    result.outside.push_back(outside);
    result.any_outside |= outside;
    if (r.mode == "nearest") {
      result.places.push_back(std::clamp<int64_t>(nearest_place(r.nearest, x), 0, axis.before - 1));
    } else {
      interpolate(r, axis, x, squeeze, reach, result);
    }
  }
  return result;
}

// x with `axis` resized: the weighted sum over taps of x's slices at the taps' places.
static Value apply(Builder& b, Value x, int axis, const Taps& taps, bool weighted) {
  const auto after = static_cast<int64_t>(taps.outside.size());
  if (!weighted) return take(b, x, b.constant(Tensor::from<int64_t>({after}, taps.places)), axis);
  Value sum;
  for (int64_t tap = 0; tap < taps.taps; ++tap) {
    std::vector<int64_t> places;
    std::vector<double> weights;
    for (int64_t i = 0; i < after; ++i) {
      places.push_back(taps.places[static_cast<size_t>(i * taps.taps + tap)]);
      weights.push_back(taps.weights[static_cast<size_t>(i * taps.taps + tap)]);
    }
    if (std::ranges::all_of(weights, [](double w) { return w == 0; })) continue;
    const Value slices = take(b, x, b.constant(Tensor::from<int64_t>({after}, places)), axis);
    const Value weight = b.constant(from_doubles({b.dtype(x), {after}}, weights));
    const Value part = mul(b, slices, along_axis(b, weight, axis, b.shape(x).rank()));
    sum = sum ? add(b, sum, part) : part;
  }
  return sum;
}

static std::vector<Value> decompose_resize(Builder& b, const NodeView& view) {
  const Resize r = resize_of(view.attributes());
  const bool weighted = r.mode != "nearest";
  const int rank = b.shape(view.inputs[0]).rank();
  Value y = weighted ? widen(b, view.inputs[0]) : view.inputs[0];
  std::vector<std::pair<int, Taps>> outside;
  for (int i = 0; i < rank; ++i) {
    const auto at = static_cast<size_t>(i);
    if (r.sizes[at] == -1) continue;
    const bool crops = r.coordinates == "tf_crop_and_resize";
    const Axis axis{b.shape(y).size(i), r.sizes[at], r.scales[at], crops ? r.roi[at] : 0,
                    crops ? r.roi[at + static_cast<size_t>(rank)] : 1};
    Taps taps = taps_of(r, axis);
    y = apply(b, y, i, taps, weighted);
    if (taps.any_outside) outside.emplace_back(i, std::move(taps));
  }
  const Value extrapolation = b.scalar(b.dtype(y), r.extrapolation);
  for (const auto& [axis, taps] : outside) {
    const Value mask =
        b.constant(Tensor::from<int64_t>({static_cast<int64_t>(taps.outside.size())}, taps.outside));
    y = select(b, convert(b, along_axis(b, mask, axis, rank), DType::boolean), extrapolation, y);
  }
  return {convert(b, y, b.dtype(view.inputs[0]))};
}

static Sample sample(std::string_view name, const Ints& x, Resize r, DType dtype = DType::f32) {
  for (size_t i = 0; i < x.size(); ++i) {
    if (r.scales.size() <= i)
      r.scales.push_back(r.sizes[i] == -1 ? 1 : static_cast<double>(r.sizes[i]) / static_cast<double>(x[i]));
  }
  return {std::string(name), {{dtype, Shape::of(x)}}, attributes_of(r)};
}

static std::vector<Sample> samples_resize() {
  const Ints x{1, 2, 5, 4}, up{-1, -1, 9, 8}, down{-1, -1, 3, 2};
  std::vector<Sample> samples{
      sample("nearest, twice", {2, 3, 4, 4},
             {.sizes = {-1, -1, 8, 8}, .coordinates = "asymmetric", .nearest = "floor"}),
      sample("nearest down, ceil", x,
             {.sizes = down, .coordinates = "align_corners", .nearest = "round_prefer_ceil"}),
      sample("linear", x, {.sizes = up, .mode = "linear"}),
      sample("linear, corners", x, {.sizes = up, .mode = "linear", .coordinates = "align_corners"}),
      sample("linear down, antialias", x, {.sizes = down, .mode = "linear", .antialias = true}),
      sample("linear, symmetric", x,
             {.sizes = {-1, -1, 7, 6},
              .scales = {1, 1, 1.5, 1.6},
              .mode = "linear",
              .coordinates = "half_pixel_symmetric"}),
      sample("linear to one", x,
             {.sizes = {-1, -1, 1, 1}, .mode = "linear", .coordinates = "pytorch_half_pixel"}),
      sample("cubic", x, {.sizes = up, .mode = "cubic"}),
      sample("cubic, nothing outside", x,
             {.sizes = up, .mode = "cubic", .cubic_a = -0.5, .exclude_outside = true}),
      sample("cubic down, antialias", x, {.sizes = down, .mode = "cubic", .antialias = true}),
      sample("crop", x,
             {.sizes = {-1, -1, 6, 6},
              .mode = "linear",
              .coordinates = "tf_crop_and_resize",
              .roi = {0, 0, 0.4, -0.2, 1, 1, 0.9, 1.3},
              .extrapolation = 10}),
      sample("linear f16", x, {.sizes = up, .mode = "linear"}, DType::f16)};
  samples.push_back(sample("nearest u8", x, {.sizes = up}, DType::u8));
  samples.back().fills = {{.kind = Fill::integers, .low = 0, .high = 256}};
  return samples;
}

}  // namespace temper::ops

namespace temper {

const Op resize_op{.name = "resize",
                   .primitive = false,
                   .summary = "y = x interpolated along its axes, as ONNX Resize",
                   .infer = ops::infer_resize,
                   .decompose = ops::decompose_resize,
                   .samples = ops::samples_resize};

}  // namespace temper
