#pragma once
// Products by cuBLASLt.
#include <memory>
#include <string>

#include "devices/cuda/api.h"
#include "launches/machine.h"

namespace temper::cuda {

class Driver;

inline constexpr size_t kWorkspace = size_t{32} << 20;  // bytes; what cuBLAS asks for on Hopper

class Blas {
 public:
  Blas(const Driver& driver, const BlasApi& api, bool tf32);  // tf32: f32 is multiplied so
  Blas(const Blas&) = delete;
  Blas& operator=(const Blas&) = delete;
  ~Blas();

  std::string version() const;  // "13.1.0"
  bool tf32() const { return tf32_; }
  // Of a launch whose call is a ProductCall.
  std::unique_ptr<launches::ReadyLaunch> ready(const launches::Launch& launch) const;

 private:
  const Driver& driver_;
  const BlasApi& api_;
  CBlas* handle_ = nullptr;
  Address workspace_ = nullptr;  // one for all: products follow each other in one stream
  bool tf32_;
};

}  // namespace temper::cuda
