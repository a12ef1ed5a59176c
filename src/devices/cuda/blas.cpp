#include "devices/cuda/blas.h"

#include <algorithm>

#include "base/check.h"
#include "base/text.h"
#include "devices/cuda/driver.h"
#include "devices/cuda/products.h"

namespace temper::cuda {

namespace {

void check(const Driver& driver, const BlasApi& api, Status status, std::string_view what) {
  if (status != 0)
    throw Error(ErrorKind::device, concat("'", driver.name(), "': cuBLASLt could not ", what, ": ",
                                          api.cublasLtGetStatusString(status)));
}

int data_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return kR32F;
    case DType::f64:
      return kR64F;
    case DType::f16:
      return kR16F;
    default:
      TEMPER_CHECK(dtype == DType::bf16, "cuBLASLt of ", to_string(dtype));
      return kR16BF;
  }
}

// Of all of them. Places of arenas are apart by 64 bytes, but slices may lie anywhere.
unsigned alignment(std::initializer_list<Address> addresses) {
  uintptr_t bits = 0;
  for (const Address address : addresses) bits |= reinterpret_cast<uintptr_t>(address);
  unsigned aligned = 256;
  while (bits % aligned != 0) aligned /= 2;
  return aligned;
}

template <class Thing>
using Owned = std::unique_ptr<Thing, Status (*)(Thing*)>;

// cuBLASLt counts columns first: our Z is its transpose, the product of our B's and our A's.
class ReadyProduct : public launches::ReadyLaunch {
 public:
  ReadyProduct(const Driver& driver, const BlasApi& api, CBlas* handle, Address workspace, bool tf32,
               const ProductCall& call)
      : driver_(driver),
        api_(api),
        handle_(handle),
        workspace_(workspace),
        call_(call),
        product_(nullptr, api.cublasLtMatmulDescDestroy),
        a_(nullptr, api.cublasLtMatrixLayoutDestroy),
        b_(nullptr, api.cublasLtMatrixLayoutDestroy),
        z_(nullptr, api.cublasLtMatrixLayoutDestroy) {
    const Product& p = call.product;
    const int type = data_type(p.z), compute = p.z == DType::f64           ? kCompute64F
                                               : tf32 && p.z == DType::f32 ? kComputeTF32
                                                                           : kCompute32F;
    CProduct* product = nullptr;
    check(driver_, api_, api_.cublasLtMatmulDescCreate(&product, compute, p.z == DType::f64 ? kR64F : kR32F),
          "take a product");
    product_.reset(product);
    make(b_, type, p.columns, p.inner, p.b_column, p.b_inner, call.b_stride, kTransA);
    make(a_, type, p.inner, p.rows, p.a_inner, p.a_row, call.a_stride, kTransB);
    make(z_, type, p.columns, p.rows, 1, p.z_row, p.rows * p.columns, std::nullopt);
    const unsigned epilogue = std::max<unsigned>((call.bias ? kBias : 0U) | (call.relu ? kRelu : 0U), kPlain);
    set(kEpilogue, epilogue);
  }
  // Operands: A, B, perhaps the bias, Z.
  void start(std::span<const Place> operands) override {
    const Address a = address(operands[0]), b = address(operands[1]), z = address(operands.back());
    const Address bias = call_.bias ? address(operands[2]) : z;
    if (call_.bias) set(kBiasPointer, bias);
    if (const unsigned aligned = alignment({a, b, z, bias}); aligned < aligned_) choose(aligned);
    const double one = 1, zero = 0;
    const float one_f32 = 1, zero_f32 = 0;
    const bool wide = call_.product.z == DType::f64;
    const Driver::Turn turn = driver_.enter();
    check(driver_, api_,
          api_.cublasLtMatmul(handle_, product_.get(), wide ? static_cast<const void*>(&one) : &one_f32, b,
                              b_.get(), a, a_.get(), wide ? static_cast<const void*>(&zero) : &zero_f32, z,
                              z_.get(), z, z_.get(), &algorithm_, workspace_, kWorkspace, driver_.stream()),
          concat("compute `", call_.cluster.kind, "`"));
  }

 private:
  template <class Value>
  void set(int attribute, const Value& value) {
    check(driver_, api_,
          api_.cublasLtMatmulDescSetAttribute(product_.get(), attribute, static_cast<const void*>(&value),
                                              sizeof value),
          "take a product");
  }

  // [rows, columns] in its own order of axes; what lies the other way round is said to be transposed.
  void make(Owned<CMatrix>& matrix, int type, int64_t rows, int64_t columns, int64_t row, int64_t column,
            int64_t group, std::optional<int> transposes) {
    const bool turned = row != 1;
    const auto first = static_cast<uint64_t>(turned ? columns : rows),
               second = static_cast<uint64_t>(turned ? rows : columns);
    CMatrix* made = nullptr;
    check(driver_, api_, api_.cublasLtMatrixLayoutCreate(&made, type, first, second, turned ? row : column),
          "take a matrix");
    matrix.reset(made);
    const auto groups = static_cast<int32_t>(call_.product.groups);
    for (const auto& [attribute, value, size] :
         {std::tuple{kBatchCount, static_cast<const void*>(&groups), sizeof groups},
          std::tuple{kBatchStride, static_cast<const void*>(&group), sizeof group}})
      check(driver_, api_, api_.cublasLtMatrixLayoutSetAttribute(made, attribute, value, size),
            "take a matrix");
    if (transposes) set(*transposes, static_cast<int32_t>(turned ? 1 : 0));
  }

  // The algorithm that its heuristics name first for pointers so aligned.
  void choose(unsigned aligned) {
    CPreference* preference = nullptr;
    check(driver_, api_, api_.cublasLtMatmulPreferenceCreate(&preference), "take a preference");
    AlgorithmFound found{};
    int count = 0;
    Status status = api_.cublasLtMatmulPreferenceSetAttribute(preference, kWorkspaceBytes, &kWorkspace,
                                                              sizeof kWorkspace);
    for (const int operand : {kAlignmentA, kAlignmentB, kAlignmentC, kAlignmentD})
      if (status == 0)
        status = api_.cublasLtMatmulPreferenceSetAttribute(preference, operand, &aligned, sizeof aligned);
    if (status == 0)
      status = api_.cublasLtMatmulAlgoGetHeuristic(handle_, product_.get(), b_.get(), a_.get(), z_.get(),
                                                   z_.get(), preference, 1, &found, &count);
    api_.cublasLtMatmulPreferenceDestroy(preference);
    const Product& p = call_.product;
    check(driver_, api_, status,
          concat("find how to compute ", to_string(p.z), " ", p.groups, " x [", p.rows, ", ", p.inner,
                 "] x [", p.inner, ", ", p.columns, "]"));
    TEMPER_CHECK(count > 0);
    algorithm_ = found.algorithm;
    aligned_ = aligned;
  }

  const Driver& driver_;
  const BlasApi& api_;
  CBlas* handle_;
  Address workspace_;
  const ProductCall& call_;
  Owned<CProduct> product_;
  Owned<CMatrix> a_, b_, z_;
  Algorithm algorithm_{};
  unsigned aligned_ = ~0U;  // of the pointers that the algorithm was chosen for
};

}  // namespace

Blas::Blas(const Driver& driver, const BlasApi& api, bool tf32) : driver_(driver), api_(api), tf32_(tf32) {
  check(driver_, api_, api_.cublasLtCreate(&handle_), "start");
  workspace_ = driver_.allocate(static_cast<int64_t>(kWorkspace), "cuBLASLt to work in");
}

Blas::~Blas() { driver_.free(workspace_); }

std::string Blas::version() const {
  const size_t version = api_.cublasLtGetVersion();  // 120401, 130100
  return concat(version / 10000, ".", version % 10000 / 100, ".", version % 100);
}

std::unique_ptr<launches::ReadyLaunch> Blas::ready(const launches::Launch& launch) const {
  return std::make_unique<ReadyProduct>(driver_, api_, handle_, workspace_, tf32_,
                                        static_cast<const ProductCall&>(*launch.call));
}

}  // namespace temper::cuda
