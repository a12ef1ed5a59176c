#pragma once
// Samples as graphs and inputs: what tests, benchmarks and the reference are made from.
#include "ir/builder.h"

namespace temper {

// Shorthands for sample types: f32({2, 3}).
inline Type f16(Shape shape) { return {DType::f16, std::move(shape)}; }
inline Type bf16(Shape shape) { return {DType::bf16, std::move(shape)}; }
inline Type f32(Shape shape) { return {DType::f32, std::move(shape)}; }
inline Type f64(Shape shape) { return {DType::f64, std::move(shape)}; }
inline Type boolean(Shape shape) { return {DType::boolean, std::move(shape)}; }
inline Type i8(Shape shape) { return {DType::i8, std::move(shape)}; }
inline Type u8(Shape shape) { return {DType::u8, std::move(shape)}; }
inline Type i32(Shape shape) { return {DType::i32, std::move(shape)}; }
inline Type u32(Shape shape) { return {DType::u32, std::move(shape)}; }
inline Type i64(Shape shape) { return {DType::i64, std::move(shape)}; }
inline Type u64(Shape shape) { return {DType::u64, std::move(shape)}; }

inline Fill uniform(double low, double high) { return {Fill::uniform, low, high}; }
inline Fill integers(int64_t low, int64_t high) {  // [low, high)
  return {Fill::integers, static_cast<double>(low), static_cast<double>(high)};
}
inline Fill distinct() { return {Fill::distinct}; }
inline Fill all(double value) { return {Fill::constant, value}; }

// One node: inputs "x0", "x1", ... (only those present), outputs "y0", "y1", ...
Graph sample_graph(const Op& op, const Sample& sample);
// Host tensors for the graph's inputs. The same on every machine and for every dtype up to its rounding.
std::vector<Tensor> sample_inputs(const Op& op, const Sample& sample);

}  // namespace temper
