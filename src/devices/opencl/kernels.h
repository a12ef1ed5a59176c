#pragma once
// A program's kernels, built by the driver.
#include "devices/opencl/driver.h"

namespace temper::opencl {

class BuiltProgram {
 public:
  // Error device has what the compiler says.
  BuiltProgram(std::shared_ptr<Driver> driver, const std::string& source);
  BuiltProgram(const BuiltProgram&) = delete;
  BuiltProgram& operator=(const BuiltProgram&) = delete;
  ~BuiltProgram();

  CKernel* make_kernel(const std::string& name) const;  // the caller's, who sets its arguments

 private:
  void build(const std::string& source);
  std::string log() const;

  std::shared_ptr<Driver> driver_;
  CProgram* program_ = nullptr;
};

}  // namespace temper::opencl
