#include "devices/opencl/kernels.h"

#include "base/text.h"

namespace temper::opencl {

BuiltProgram::BuiltProgram(std::shared_ptr<Driver> driver, const std::string& source)
    : driver_(std::move(driver)) {
  build(source);
}

BuiltProgram::~BuiltProgram() {
  if (program_) driver_->api().clReleaseProgram(program_);
}

void BuiltProgram::build(const std::string& source) {
  const Api& api = driver_->api();
  Status status = kSuccess;
  const char* const text = source.c_str();
  const size_t size = source.size();
  program_ =
      api.clCreateProgramWithSource(driver_->context(), 1, const_cast<const char**>(&text), &size, &status);
  driver_->check(status, "take a program");
  CDevice* const device = driver_->device();
  const bool fused = (driver_->number(kDeviceSingleFloats) & kFusedMultiplyAdd) != 0;
  status =
      api.clBuildProgram(program_, 1, &device, fused ? "-w -DFUSED_MULTIPLY_ADD" : "-w", nullptr, nullptr);
  if (status != kSuccess)
    throw Error(ErrorKind::device, concat("'", driver_->name(), "' could not build a program (OpenCL error ",
                                          status, "): ", log()));
}

std::string BuiltProgram::log() const {
  const Api& api = driver_->api();
  size_t size = 0;
  if (api.clGetProgramBuildInfo(program_, driver_->device(), kBuildLog, 0, nullptr, &size) != kSuccess ||
      size < 2)
    return "its compiler says nothing";
  std::string text(size, '\0');
  api.clGetProgramBuildInfo(program_, driver_->device(), kBuildLog, size, text.data(), nullptr);
  text.resize(text.find('\0'));
  return std::string(trim(text));
}

CKernel* BuiltProgram::make_kernel(const std::string& name) const {
  Status status = kSuccess;
  CKernel* const kernel = driver_->api().clCreateKernel(program_, name.c_str(), &status);
  driver_->check(status, concat("find the kernel ", name));
  return kernel;
}

}  // namespace temper::opencl
