// Sorting along an axis, other operands carried along.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/map.h"

namespace temper {
namespace {

std::vector<Type> infer_sort(const InferContext& c) {
  if (c.inputs.empty()) c.fail("expected at least one operand");
  expect_inputs(c, c.inputs.size());
  expect_dtype(c, 0, [](DType d) { return is_arithmetic(d) || d == DType::boolean; }, "numbers");
  axis_attribute(c, "axis", c.inputs[0].shape.rank());
  c.attributes.get<bool>("descending");
  for (size_t i = 1; i < c.inputs.size(); ++i) {
    if (c.inputs[i].shape != c.inputs[0].shape)
      c.fail(concat("operand ", i, " ", to_string(c.inputs[i]), " must have the shape of ",
                    to_string(c.inputs[0])));
  }
  return {c.inputs.begin(), c.inputs.end()};
}

// Whether element i comes before element j; NaN after all numbers either way.
bool before(const Array& keys, size_t i, size_t j, bool descending) {
  if (!is_float(keys.type.dtype))
    return descending ? less(keys.type.dtype, keys.ints[j], keys.ints[i])
                      : less(keys.type.dtype, keys.ints[i], keys.ints[j]);
  const double x = keys.reals[i], y = keys.reals[j];
  if (std::isnan(x) || std::isnan(y)) return !std::isnan(x);
  return descending ? x > y : x < y;
}

std::vector<Array> evaluate_sort(const EvaluateContext& c) {
  const Array& keys = *c.inputs[0];
  const auto axis = static_cast<size_t>(c.node.attributes.get<int64_t>("axis"));
  const bool descending = c.node.attributes.get<bool>("descending");
  const Ints sizes = keys.type.shape.sizes(), strides = row_major_strides(sizes);
  std::vector<Array> results;
  for (const Type& type : c.outputs) results.push_back(make_array(type));
  Ints lines = sizes;
  lines[axis] = 1;
  std::vector<size_t> order(static_cast<size_t>(sizes[axis]));
  for_each_index(lines, [&](const Ints& index) {
    const auto base = static_cast<size_t>(offset(index, strides)), step = static_cast<size_t>(strides[axis]);
    for (size_t i = 0; i < order.size(); ++i) order[i] = base + i * step;
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t i, size_t j) { return before(keys, i, j, descending); });
    for (size_t k = 0; k < results.size(); ++k) {
      for (size_t i = 0; i < order.size(); ++i)
        copy_element(*c.inputs[k], static_cast<int64_t>(order[i]), results[k],
                     static_cast<int64_t>(base + i * step));
    }
  });
  return results;
}

// Sorting the places again, with the cotangents carried along, puts every cotangent back where its element
// came from.
std::vector<Value> vjp_sort(Builder& b, const VjpContext& c) {
  const auto axis = c.node.attributes.get<int64_t>("axis");
  std::vector<Value> keys{c.inputs[0], ops::iota(b, DType::i64, b.shape(c.inputs[0]), axis)};
  std::vector<Value> back{ops::sort(b, keys, axis, c.node.attributes.get<bool>("descending"))[1]};
  std::vector<size_t> carried;
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    if (!c.cotangents[i] || !ops::needed(c, i)) continue;
    carried.push_back(i);
    back.push_back(c.cotangents[i]);
  }
  std::vector<Value> result(c.inputs.size());
  if (carried.empty()) return result;
  const std::vector<Value> sorted = ops::sort(b, back, axis, false);
  for (size_t i = 0; i < carried.size(); ++i) result[carried[i]] = sorted[i + 1];
  return result;
}

Sample sort_sample(const std::vector<Type>& types, int64_t axis, bool descending,
                   std::vector<Fill> fills = {distinct(), {}}) {
  return {.name = concat(to_string(types[0]), " and ", types.size() - 1, " more along ", axis,
                         descending ? " down" : " up"),
          .inputs = types,
          .attributes = {{"axis", integer(axis)}, {"descending", flag(descending)}},
          .fills = std::move(fills)};
}

std::vector<Sample> sort_samples() {
  std::vector<Sample> samples;
  for (bool descending : {false, true}) {
    samples.push_back(sort_sample({f32({9})}, 0, descending));
    samples.push_back(sort_sample({f32({3, 5})}, 1, descending));
    samples.push_back(sort_sample({f32({4, 3, 2}), f32({4, 3, 2})}, 0, descending));
    samples.push_back(sort_sample({i32({3, 5}), f32({3, 5}), i64({3, 5})}, 1, descending,
                                  {integers(-2, 3), {}, integers(0, 9)}));
    samples.push_back(sort_sample({f64({9})}, 0, descending));
    samples.push_back(sort_sample({f16({9})}, 0, descending));
    samples.push_back(sort_sample({u64({9})}, 0, descending, {integers(-9, 9)}));
    samples.push_back(sort_sample({u8({9}), f32({9})}, 0, descending, {integers(0, 3), {}}));
    samples.push_back(sort_sample({f32({0, 3})}, 0, descending));
    samples.push_back(sort_sample({f32({130})}, 0, descending));
  }
  samples.push_back(sort_sample({f32({6}), i32({6})}, 0, false, {all(NAN), integers(0, 9)}));
  samples.back().name = "nan";
  samples.back().smooth = false;
  return samples;
}

}  // namespace

const Op sort_op{
    .name = "sort",
    .summary = "the first operand sorted along `axis`, stable, NaN last; the others in the same order",
    .infer = infer_sort,
    .evaluate = evaluate_sort,
    .vjp = vjp_sort,
    .samples = sort_samples};

namespace ops {

std::vector<Value> sort(Builder& b, std::vector<Value> operands, int64_t axis, bool descending) {
  return b.emit_all(sort_op, std::move(operands),
                    {{"axis", integer(axis)}, {"descending", flag(descending)}});
}

}  // namespace ops
}  // namespace temper
