#pragma once
// Convolutions of all the kinds that kernels tell apart.
#include "ops/composites.h"

namespace temper {

struct ConvolutionCase {
  const char* name;
  Shape x, w;
  ops::Conv2d attributes;
};

inline const std::vector<ConvolutionCase>& convolution_cases() {
  static const std::vector<ConvolutionCase> all{
      {"plain", {2, 16, 9, 9}, {32, 16, 3, 3}, {.low = {1, 1}, .high = {1, 1}}},
      {"stem", {2, 3, 15, 15}, {16, 3, 7, 7}, {.strides = {2, 2}, .low = {3, 3}, .high = {3, 3}}},
      {"one by one", {3, 24, 5, 7}, {40, 24, 1, 1}, {}},
      {"strided, padded at the end", {2, 16, 8, 8}, {16, 16, 3, 3}, {.strides = {2, 2}, .high = {1, 1}}},
      {"depthwise", {2, 32, 8, 8}, {32, 1, 3, 3}, {.low = {1, 1}, .high = {1, 1}, .groups = 32}},
      {"depthwise of odd width", {2, 10, 8, 8}, {10, 1, 3, 3}, {.low = {1, 1}, .high = {1, 1}, .groups = 10}},
      {"strided depthwise",
       {1, 96, 9, 9},
       {96, 1, 3, 3},
       {.strides = {2, 2}, .low = {1, 1}, .high = {1, 1}, .groups = 96}},
      {"groups", {2, 32, 6, 6}, {64, 8, 3, 3}, {.low = {1, 1}, .high = {1, 1}, .groups = 4}},
      {"dilated", {2, 8, 11, 11}, {12, 8, 3, 3}, {.low = {2, 2}, .high = {2, 2}, .dilations = {2, 2}}},
      {"odd channels", {5, 7, 6, 6}, {9, 7, 3, 2}, {.strides = {1, 2}, .low = {0, 1}}},
  };
  return all;
}

}  // namespace temper
