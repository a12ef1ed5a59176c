// Resize, and Upsample before it.
#include <algorithm>
#include <array>
#include <cmath>

#include "formats/onnx/call.h"

namespace temper::onnx {

namespace {

// What the resize composite wants, for the axes that the file names; the others keep their size.
struct Target {
  std::vector<int> axes;
  Reals scales;            // one per named axis; empty if sizes are given
  std::vector<Dim> sizes;  // one per named axis; empty if scales are given
};

void set_scales(Call& c, const Target& target, const Shape& shape, ops::Resize& resize) {
  for (size_t i = 0; i < target.axes.size(); ++i) {
    const Dim& dim = shape[target.axes[i]];
    const double scale = target.scales[i];
    const auto at = static_cast<size_t>(target.axes[i]);
    c.expect(scale > 0 && scale < 0x1p24, "a scale is ", scale);
    if (scale == 1) continue;
    if (!dim.is_static()) c.unsupported("scales the free dimension ", to_string(dim));
    resize.scales[at] = scale;
    const double size = std::floor(static_cast<double>(dim.size()) * scale);
    c.expect(size < 0x1p40, "a size is ", size);
    resize.sizes[at] = static_cast<int64_t>(size);
  }
}

void set_sizes(Call& c, const Target& target, const Shape& shape, const std::string& policy,
               ops::Resize& resize) {
  std::vector<double> ratios;
  for (size_t i = 0; i < target.axes.size(); ++i) {
    const Dim &dim = shape[target.axes[i]], &size = target.sizes[i];
    const bool batch = !c.scope.free_batch().empty() && target.axes[i] == 0 && size == Dim(1) &&
                       dim.symbol_name() == c.scope.free_batch();
    if (size == dim || batch) {
      ratios.push_back(1);
      continue;
    }
    if (!dim.is_static() || !size.is_static())
      c.unsupported("resizes ", to_string(dim), " to ", to_string(size));
    c.expect(size.size() > 0 && size.size() < (int64_t{1} << 31) && dim.size() > 0, "resizes ", dim.size(),
             " to ", size.size());
    ratios.push_back(static_cast<double>(size.size()) / static_cast<double>(dim.size()));
  }
  if (policy != "stretch" && !ratios.empty()) {
    const double common = policy == "not_larger" ? *std::min_element(ratios.begin(), ratios.end())
                                                 : *std::max_element(ratios.begin(), ratios.end());
    std::fill(ratios.begin(), ratios.end(), common);
  }
  for (size_t i = 0; i < target.axes.size(); ++i) {
    const auto at = static_cast<size_t>(target.axes[i]);
    if (ratios[i] == 1) continue;
    const Dim& dim = shape[target.axes[i]];
    if (!dim.is_static()) c.unsupported("resizes the free dimension ", to_string(dim));
    resize.scales[at] = ratios[i];
    resize.sizes[at] = policy == "stretch"
                           ? target.sizes[i].size()
                           : static_cast<int64_t>(std::round(static_cast<double>(dim.size()) * ratios[i]));
  }
}

Results emit(Call& c, const Target& target, ops::Resize resize, const std::string& policy) {
  const Value x = c.in(0);
  const Shape shape = c.b.shape(x);
  resize.sizes.assign(static_cast<size_t>(shape.rank()), -1);
  resize.scales.assign(static_cast<size_t>(shape.rank()), 1);
  if (target.sizes.empty())
    set_scales(c, target, shape, resize);
  else
    set_sizes(c, target, shape, policy, resize);
  return {ops::resize(c.b, x, resize)};
}

std::vector<int> named_axes(Call& c) {
  const int rank = c.rank(0);
  std::vector<int> axes;
  if (c.has("axes")) {
    const Ints given = c.integers("axes");
    c.axes(given, rank);
    for (const int64_t axis : given) axes.push_back(c.axis(axis, rank));
    return axes;
  }
  for (int i = 0; i < rank; ++i) axes.push_back(i);
  return axes;
}

void expect_one_of(Call& c, std::string_view name, const std::string& word,
                   std::initializer_list<std::string_view> words) {
  c.expect(std::find(words.begin(), words.end(), word) != words.end(), "attribute ", name, " is '", word,
           "'");
}

// The region of interest, starts then ends, of all axes.
Reals region(Call& c, const Target& target) {
  const auto rank = static_cast<size_t>(c.rank(0));
  Reals result(2 * rank, 0.0);
  std::fill(result.begin() + static_cast<std::ptrdiff_t>(rank), result.end(), 1.0);
  const Reals given = c.reals(1);
  c.expect(given.size() == 2 * target.axes.size(), "the region has ", given.size(), " entries, expected ",
           2 * target.axes.size());
  for (size_t i = 0; i < target.axes.size(); ++i) {
    result[static_cast<size_t>(target.axes[i])] = given[i];
    result[static_cast<size_t>(target.axes[i]) + rank] = given[target.axes.size() + i];
  }
  return result;
}

bool is_empty(Call& c, size_t i) {
  return !c.has(i) || (c.shape(i).is_static() && c.shape(i).elements() == 0);
}

Results resize(Call& c) {
  ops::Resize attributes;
  attributes.mode = c.word("mode", "nearest");
  attributes.coordinates = c.word("coordinate_transformation_mode", "half_pixel");
  attributes.nearest = c.word("nearest_mode", "round_prefer_floor");
  attributes.cubic_a = c.real("cubic_coeff_a", -0.75);
  attributes.exclude_outside = c.integer("exclude_outside", 0) != 0;
  attributes.antialias = c.integer("antialias", 0) != 0;
  attributes.extrapolation = c.real("extrapolation_value", 0);
  const std::string policy = c.word("keep_aspect_ratio_policy", "stretch");
  expect_one_of(c, "mode", attributes.mode, {"nearest", "linear", "cubic"});
  expect_one_of(c, "keep_aspect_ratio_policy", policy, {"stretch", "not_larger", "not_smaller"});
  expect_one_of(c, "nearest_mode", attributes.nearest,
                {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"});
  if (attributes.coordinates == "tf_half_pixel_for_nn")
    c.unsupported("coordinate_transformation_mode tf_half_pixel_for_nn");
  expect_one_of(c, "coordinate_transformation_mode", attributes.coordinates,
                {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
                 "tf_crop_and_resize"});
  Target target{named_axes(c), {}, {}};
  if (attributes.coordinates == "tf_crop_and_resize") attributes.roi = region(c, target);
  if (!is_empty(c, 2))
    target.scales = c.reals(2);
  else if (c.has(3))
    target.sizes = c.dims(3);
  const size_t given = std::max(target.scales.size(), target.sizes.size());
  c.expect(given == target.axes.size(), given, " scales or sizes for ", target.axes.size(), " axes");
  return emit(c, target, attributes, policy);
}

Results by_scales(Call& c, const Reals& scales) {
  ops::Resize attributes;
  attributes.mode = c.word("mode", "nearest");
  attributes.coordinates = "asymmetric";
  attributes.nearest = "floor";
  expect_one_of(c, "mode", attributes.mode, {"nearest", "linear"});
  const Target target{named_axes(c), scales, {}};
  c.expect(scales.size() == target.axes.size() && !scales.empty(), scales.size(), " scales for ",
           target.axes.size(), " axes");
  return emit(c, target, attributes, "stretch");
}
Results upsample_attribute(Call& c) { return by_scales(c, c.reals("scales")); }
Results upsample(Call& c) { return by_scales(c, c.reals(1)); }

constexpr std::array kRows{
    Row{"Upsample", 7, 8, upsample_attribute},
    Row{"Upsample", 9, 9, upsample},
    Row{"Resize", 10, 10, upsample},
    Row{"Resize", 11, kNewest, resize},
};

}  // namespace

std::span<const Row> resize_rows() { return kRows; }

}  // namespace temper::onnx
