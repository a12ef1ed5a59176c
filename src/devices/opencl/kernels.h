#pragma once
// A program's kernels, built by the driver.
#include "devices/opencl/driver.h"

namespace temper::opencl {

class BuiltProgram : public launches::BuiltKernels {
 public:
  // Taken from the disk if it was built before by this driver, for this device. Error device has what the
  // compiler says.
  BuiltProgram(std::shared_ptr<Driver> driver, const std::string& source);
  BuiltProgram(const BuiltProgram&) = delete;
  BuiltProgram& operator=(const BuiltProgram&) = delete;
  ~BuiltProgram() override;

  CKernel* make_kernel(const std::string& name) const;  // the caller's, who sets its arguments

 private:
  void make(const std::string& source);
  bool create_from(const std::string& binary);  // false: the driver does not take it
  Status build() const;
  std::string options() const;
  std::string binary() const;  // empty if the driver gives none
  std::string log() const;

  std::shared_ptr<Driver> driver_;
  CProgram* program_ = nullptr;
};

}  // namespace temper::opencl
