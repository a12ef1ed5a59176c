// cuBLASLt by its definition: D = epilogue(op(A) op(B)), columns first, one number after the other.
#include <dlfcn.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "devices/cuda/api.h"

namespace temper::cuda {

struct CProduct {
  int compute = 0, a_turned = 0, b_turned = 0;
  unsigned epilogue = kPlain;
  Address bias = nullptr;
};
struct CMatrix {
  int type = 0;
  int64_t rows = 0, columns = 0, leading = 0;  // as they lie in memory
  int32_t groups = 1;
  int64_t group = 0;
};
struct CPreference {
  size_t workspace = 0;
  unsigned alignment = 256;
};

}  // namespace temper::cuda

using namespace temper::cuda;

namespace {

constexpr Status kNotSupported = 15, kInvalid = 7;

std::map<std::string, int>& counts() {
  static auto& all = *std::make_unique<std::map<std::string, int>>().release();
  return all;
}

double load(const void* memory, int type, int64_t at) {
  const auto* const bytes = static_cast<const char*>(memory);
  if (type == kR64F) return static_cast<const double*>(memory)[at];
  if (type == kR32F) return static_cast<const float*>(memory)[at];
  if (type == kR16F) return static_cast<float>(reinterpret_cast<const _Float16*>(bytes)[at]);
  uint16_t half = 0;
  std::memcpy(&half, bytes + 2 * at, sizeof half);
  const uint32_t bits = uint32_t{half} << 16;
  float value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

void store(void* memory, int type, int64_t at, double value) {
  if (type == kR64F) {
    static_cast<double*>(memory)[at] = value;
  } else if (type == kR32F) {
    static_cast<float*>(memory)[at] = static_cast<float>(value);
  } else if (type == kR16F) {
    static_cast<_Float16*>(memory)[at] = static_cast<_Float16>(static_cast<float>(value));
  } else {
    const auto single = static_cast<float>(value);
    uint32_t bits = 0;
    std::memcpy(&bits, &single, sizeof bits);
    static_cast<uint16_t*>(memory)[at] = static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  }
}

struct Work {
  CProduct product;
  CMatrix a, b, d;
  const void *a_memory, *b_memory;
  void* d_memory;
};

// [depth][rows] and [columns][depth]
std::vector<double> numbers(const CMatrix& matrix, const void* memory, int64_t group, bool turned) {
  const int64_t first = turned ? matrix.columns : matrix.rows, second = turned ? matrix.rows : matrix.columns;
  std::vector<double> all(static_cast<size_t>(first * second));
  for (int64_t j = 0; j < second; ++j)
    for (int64_t i = 0; i < first; ++i)
      all[static_cast<size_t>(j * first + i)] =
          load(memory, matrix.type,
               group * matrix.group + (turned ? i * matrix.leading + j : j * matrix.leading + i));
  return all;
}

void multiply(void* data) {
  const Work& w = *static_cast<Work*>(data);
  const int64_t rows = w.d.rows, depth = w.product.a_turned ? w.a.rows : w.a.columns;
  std::vector<double> sums(static_cast<size_t>(rows));
  for (int64_t g = 0; g < w.d.groups; ++g) {
    const std::vector<double> a = numbers(w.a, w.a_memory, g, w.product.a_turned != 0),
                              b = numbers(w.b, w.b_memory, g, w.product.b_turned != 0);
    for (int64_t column = 0; column < w.d.columns; ++column) {
      std::ranges::fill(sums, 0);
      for (int64_t k = 0; k < depth; ++k) {
        const double value = b[static_cast<size_t>(column * depth + k)];
        for (int64_t row = 0; row < rows; ++row)
          sums[static_cast<size_t>(row)] += a[static_cast<size_t>(k * rows + row)] * value;
      }
      for (int64_t row = 0; row < rows; ++row) {
        double sum = sums[static_cast<size_t>(row)];
        if (w.product.epilogue & kBias) sum += load(w.product.bias, w.d.type, row);
        if (w.product.epilogue & kRelu) sum = std::max(sum, 0.0);
        store(w.d_memory, w.d.type, g * w.d.group + column * w.d.leading + row, sum);
      }
    }
  }
}

// Whether the shapes meet, and rows lie apart.
bool fits(const CProduct& p, const CMatrix& a, const CMatrix& b, const CMatrix& d) {
  const int64_t rows = p.a_turned ? a.columns : a.rows, depth = p.a_turned ? a.rows : a.columns,
                depth_b = p.b_turned ? b.columns : b.rows, columns = p.b_turned ? b.rows : b.columns;
  return rows == d.rows && columns == d.columns && depth == depth_b && a.leading >= a.rows &&
         b.leading >= b.rows && d.leading >= d.rows && a.groups == d.groups && b.groups == d.groups;
}

template <class Thing>
Status drop(Thing* thing) {
  const std::unique_ptr<Thing> owner(thing);
  return 0;
}

}  // namespace

extern "C" {

int times_called(const char* name) { return counts()[name]; }

size_t cublasLtGetVersion() { return 130000; }
const char* cublasLtGetStatusString(Status status) {
  return status == kNotSupported ? "CUBLAS_STATUS_NOT_SUPPORTED" : "CUBLAS_STATUS_INVALID_VALUE";
}
Status cublasLtCreate(CBlas** handle) {
  static int there;
  *handle = reinterpret_cast<CBlas*>(&there);
  return 0;
}
Status cublasLtMatmulDescCreate(CProduct** product, int compute, int) {
  *product = std::make_unique<CProduct>(CProduct{.compute = compute}).release();
  return 0;
}
Status cublasLtMatmulDescDestroy(CProduct* product) { return drop(product); }
Status cublasLtMatmulDescSetAttribute(CProduct* product, int attribute, const void* value, size_t size) {
  void* const to = attribute == kTransA     ? static_cast<void*>(&product->a_turned)
                   : attribute == kTransB   ? static_cast<void*>(&product->b_turned)
                   : attribute == kEpilogue ? static_cast<void*>(&product->epilogue)
                                            : static_cast<void*>(&product->bias);
  if (size != (attribute == kBiasPointer ? sizeof product->bias : sizeof(int))) return kInvalid;
  std::memcpy(to, value, size);
  return 0;
}
Status cublasLtMatrixLayoutCreate(CMatrix** matrix, int type, uint64_t rows, uint64_t columns,
                                  int64_t leading) {
  *matrix = std::make_unique<CMatrix>(
                CMatrix{type, static_cast<int64_t>(rows), static_cast<int64_t>(columns), leading})
                .release();
  return 0;
}
Status cublasLtMatrixLayoutDestroy(CMatrix* matrix) { return drop(matrix); }
Status cublasLtMatrixLayoutSetAttribute(CMatrix* matrix, int attribute, const void* value, size_t size) {
  if (size != (attribute == kBatchCount ? sizeof matrix->groups : sizeof matrix->group)) return kInvalid;
  std::memcpy(attribute == kBatchCount ? static_cast<void*>(&matrix->groups) : &matrix->group, value, size);
  return 0;
}
Status cublasLtMatmulPreferenceCreate(CPreference** preference) {
  *preference = std::make_unique<CPreference>().release();
  return 0;
}
Status cublasLtMatmulPreferenceDestroy(CPreference* preference) { return drop(preference); }
Status cublasLtMatmulPreferenceSetAttribute(CPreference* preference, int attribute, const void* value,
                                            size_t size) {
  if (attribute == kWorkspaceBytes && size == sizeof preference->workspace)
    std::memcpy(&preference->workspace, value, size);
  else if (size == sizeof preference->alignment)
    std::memcpy(&preference->alignment, value, size);
  else
    return kInvalid;
  return 0;
}

// The algorithm holds the alignment that it asks for.
Status cublasLtMatmulAlgoGetHeuristic(CBlas*, CProduct* product, CMatrix* a, CMatrix* b, CMatrix*, CMatrix* d,
                                      CPreference* preference, int, AlgorithmFound* found, int* count) {
  ++counts()[__func__];
  *count = 0;
  if (!fits(*product, *a, *b, *d)) return kInvalid;
  if (product->epilogue != kPlain && d->type == kR64F) return kNotSupported;
  found->algorithm.data[0] = preference->alignment;
  found->state = 0;
  *count = 1;
  return 0;
}

Status cublasLtMatmul(CBlas*, CProduct* product, const void*, const void* a_memory, CMatrix* a,
                      const void* b_memory, CMatrix* b, const void*, const void*, CMatrix*, void* d_memory,
                      CMatrix* d, const Algorithm* algorithm, void*, size_t, CStream* stream) {
  ++counts()[__func__];
  if (!fits(*product, *a, *b, *d)) return kInvalid;
  for (const void* const memory : {a_memory, b_memory, static_cast<const void*>(d_memory)})
    if (reinterpret_cast<uintptr_t>(memory) % algorithm->data[0] != 0) return kInvalid;
  static auto& kept = *std::make_unique<std::vector<std::unique_ptr<Work>>>().release();
  kept.push_back(std::make_unique<Work>(Work{*product, *a, *b, *d, a_memory, b_memory, d_memory}));
  using Enqueue = int (*)(CStream*, void (*)(void*), void*);
  static const auto enqueue =
      reinterpret_cast<Enqueue>(dlsym(dlopen(FAKE_DRIVER, RTLD_NOW | RTLD_NOLOAD), "fake_cuda_enqueue"));
  return enqueue(stream, multiply, kept.back().get());
}
}
