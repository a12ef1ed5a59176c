#pragma once
// Small products in registers.
#include <cstdint>

namespace temper::cpu {

// Columns of b that lie together: b is [panels][depth][panel], the last panel perhaps in part unused.
int64_t product_panel();

// What becomes of a sum before it is stored: min(max(sum + bias, low), high); NaN stays.
struct PanelFinish {
  const float* bias;  // by column; or null
  float low, high;
};

// c[i, j] (+)= sum over k < depth of a[i, k] b[k, j], f32, for one panel of `columns` <= product_panel()
// columns, a multiple of 16. Steps in elements. The order of the sum is that of k;
// what c holds is added last. With `pairs` an element of
// a and b is no f32 but two bf16 that follow each other in depth; only where kHasBf16.
struct PanelProduct {
  const float* a;
  int64_t a_row, a_depth;
  const float* b;
  float* c;
  int64_t c_row;
  int64_t rows, columns, depth;
  bool adds = false;
  bool pairs = false;
  const PanelFinish* finish = nullptr;  // null: nothing; else not with `adds`
};
void multiply(const PanelProduct& product);

}  // namespace temper::cpu
