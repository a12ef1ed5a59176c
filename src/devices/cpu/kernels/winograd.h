#pragma once
// The transforms of the minimal algorithm F(4x4, 3x3) for convolutions of 3 x 3 windows (Lavin and Gray,
// "Fast Algorithms for Convolutional Neural Networks", 2015): 36 products of transformed numbers give 16
// results that take 144 otherwise. Each works on one tile and all its channels, a multiple of 16; channels
// lie together.
//
// Transformed numbers are words of 4 bytes: an f32, or a pair of bf16 that a product takes in one step.
#include <array>
#include <cstdint>

#include "devices/cpu/kernels/bf16.h"

namespace temper::cpu {

inline constexpr int64_t kWinogradPlanes = 36, kWinogradTile = 4, kWinogradPatch = 6;

// Word i of plane p of a transformed tile is at start + p * plane + i / panel * panel_step + i % panel.
struct WinogradPlace {
  float* start;
  int64_t plane, panel, panel_step;
};

// What follows the sums: in the order given, y = min(max(y, low), high) or y = y + operand.
template <class Number>
struct WinogradPost {
  const Number* operand;  // null: a clip
  float low, high;
};
template <class Number>
struct WinogradResult {
  Number* y;
  std::array<int64_t, 16> offsets;  // of the tile's places in y and in operands; -1: outside
  const float* bias;                // by channel; or null
  const WinogradPost<Number>* posts;
  int64_t post_count;
};

template <class Number>
struct WinogradTransforms {
  // 6 x 6 places of the input; channels of bf16 pair with their neighbours.
  void (*patch)(const Number* const* places, int64_t channels, const WinogradPlace& to);
  // As many squares of 6 x 6 places, one after the other, as a word holds numbers: those numbers of one
  // channel.
  void (*patches)(const Number* const* places, int64_t channels, const WinogradPlace& to);
  // 3 x 3 weights: as patch, and as patches.
  void (*weights)(const float* const* taps, int64_t channels, const WinogradPlace& to);
  void (*weight_rows)(const float* const* taps, int64_t channels, const WinogradPlace& to);
  // 36 planes of f32, `plane` apart, to 4 x 4 results.
  void (*result)(const float* from, int64_t plane, int64_t channels, const WinogradResult<Number>& to);
  // For the gradient of the weights: squares of 4 x 4 places of the result's gradient, as patches; 36 planes
  // of f32 to 3 x 3 gradients.
  void (*spread)(const Number* const* places, int64_t channels, const WinogradPlace& to);
  void (*gradient)(const float* from, int64_t plane, int64_t channels, float* const* taps);
};
const WinogradTransforms<float>& winograd_transforms(float);
const WinogradTransforms<Bf16>& winograd_transforms(Bf16);  // only where kHasBf16

}  // namespace temper::cpu
