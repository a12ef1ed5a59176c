#pragma once
// The transforms of the minimal algorithm F(4x4, 3x3) for convolutions of 3 x 3 windows (Lavin and Gray,
// "Fast Algorithms for Convolutional Neural Networks", 2015): 36 products of transformed numbers give 16
// results that take 144 otherwise. Each works on one tile and all its channels, a multiple of 16; channels
// lie together.
#include <array>
#include <cstdint>

namespace temper::cpu {

inline constexpr int64_t kWinogradPlanes = 36, kWinogradTile = 4, kWinogradPatch = 6;

// Number i of plane p of a transformed tile is at start + p * plane + i / panel * panel_step + i % panel.
struct WinogradPlace {
  float* start;
  int64_t plane, panel, panel_step;
};

// What follows the sums: in the order given, y = min(max(y, low), high) or y = y + operand.
struct WinogradPost {
  const float* operand;  // null: a clip
  float low, high;
};
struct WinogradResult {
  float* y;
  std::array<int64_t, 16> offsets;  // of the tile's places in y and in operands; -1: outside
  const float* bias;                // by channel; or null
  const WinogradPost* posts;
  int64_t post_count;
};

struct WinogradTransforms {
  // 6 x 6 places of the input.
  void (*patch)(const float* const* places, int64_t channels, const WinogradPlace& to);
  // 3 x 3 weights.
  void (*weights)(const float* const* taps, int64_t channels, const WinogradPlace& to);
  // 36 planes, `plane` apart, to 4 x 4 results.
  void (*result)(const float* from, int64_t plane, int64_t channels, const WinogradResult& to);
  // For the gradient of the weights: 4 x 4 places of the result's gradient; 36 planes to 3 x 3 gradients.
  void (*spread)(const float* const* places, int64_t channels, const WinogradPlace& to);
  void (*gradient)(const float* from, int64_t plane, int64_t channels, float* const* taps);
};
const WinogradTransforms& winograd_transforms();

}  // namespace temper::cpu
