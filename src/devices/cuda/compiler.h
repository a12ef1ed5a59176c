#pragma once
// A program's kernels, compiled by NVRTC for the GPU's own architecture.
#include <string>
#include <vector>

#include "devices/cuda/api.h"
#include "launches/machine.h"

namespace temper::cuda {

class Driver;

// The machine code of CUDA C++ for "sm_90". Error device has what the compiler says.
std::string compile_source(const NvrtcApi& nvrtc, const std::string& source, const std::string& architecture);

class Module : public launches::BuiltKernels {
 public:
  // Taken from the disk if this NVRTC has compiled it before, for this architecture.
  Module(const Driver& driver, const std::string& source);
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  ~Module() override;

  std::unique_ptr<launches::ReadyLaunch> ready(const std::string& kernel,
                                               const launches::Launch& launch) const;

 private:
  const Driver& driver_;
  CModule* module_ = nullptr;
};

}  // namespace temper::cuda
