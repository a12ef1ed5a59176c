#pragma once
// What softmax, cross-entropy and layer norm do with a row of f32.
#include <cstdint>

namespace temper::cpu {

struct RowFunctions {
  float (*max)(const float* x, int64_t n);  // n > 0
  double (*sum)(const float* x, int64_t n);
  double (*sum_exp)(const float* x, float shift, int64_t n,
                    float* y);  // of y = exp(x - shift); y may be null
  void (*affine)(const float* x, float factor, float shift, int64_t n, float* y);  // y = x factor + shift
  double (*sum_square)(const float* x, float centre, int64_t n);                   // of (x - centre)^2
  double (*sum_product)(const float* x, const float* y, int64_t n);                // of x y
  void (*softmax_grad)(const float* y, const float* dy, float mean, int64_t n, float* dx);  // y (dy - mean)
  // y = (x - mean) rstd scale + bias; bias may be null
  void (*normalise)(const float* x, float mean, float rstd, const float* scale, const float* bias, int64_t n,
                    float* y);
  // with z = (x - mean) rstd and g = dy scale: sums of g and g z; dscale += dy z, dbias += dy unless null
  void (*norm_sums)(const float* x, const float* dy, const float* scale, float mean, float rstd, int64_t n,
                    double* sum_g, double* sum_gz, float* dscale, float* dbias);
  // dx = rstd (g - mean_g - z mean_gz)
  void (*norm_grad)(const float* x, const float* dy, const float* scale, float mean, float rstd, float mean_g,
                    float mean_gz, int64_t n, float* dx);
};
const RowFunctions& row_functions();

}  // namespace temper::cpu
