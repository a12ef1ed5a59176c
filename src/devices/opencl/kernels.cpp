#include "devices/opencl/kernels.h"

#include <algorithm>

#include "base/text.h"
#include "runtime/program_cache.h"

namespace temper::opencl {

// PoCL has a cache of its own, and asking it for a binary takes as long as compiling.
static bool keeps_its_programs(const Driver& driver) {
  return driver.platform().starts_with("Portable Computing Language");
}

BuiltProgram::BuiltProgram(std::shared_ptr<Driver> driver, const std::string& source)
    : driver_(std::move(driver)) {
  if (keeps_its_programs(*driver_)) {
    make(source);
    return;
  }
  const ProgramCache cache(
      "opencl", concat(driver_->platform(), "\n", driver_->name(), "\n", driver_->text(kDeviceVersion), "\n",
                       driver_->text(kDriverVersion), "\n", options(), "\n", source));
  if (const std::optional<std::string> kept = cache.find()) {
    if (create_from(*kept) && build() == kSuccess) return;
    cache.damaged("the driver does not take it");
  }
  make(source);
  if (!cache.keeps()) return;
  if (const std::string bytes = binary(); !bytes.empty()) cache.keep(bytes);
}

BuiltProgram::~BuiltProgram() {
  if (program_) driver_->api().clReleaseProgram(program_);
}

std::string BuiltProgram::options() const {
  const bool fused = (driver_->number(kDeviceSingleFloats) & kFusedMultiplyAdd) != 0;
  return fused ? "-w -DFUSED_MULTIPLY_ADD" : "-w";
}

void BuiltProgram::make(const std::string& source) {
  const Api& api = driver_->api();
  if (program_) api.clReleaseProgram(program_);
  Status status = kSuccess;
  const char* text = source.c_str();
  const size_t size = source.size();
  program_ = api.clCreateProgramWithSource(driver_->context(), 1, &text, &size, &status);
  driver_->check(status, "take a program");
  if (status = build(); status != kSuccess)
    throw Error(ErrorKind::device, concat("'", driver_->name(), "' could not build a program (OpenCL error ",
                                          status, "): ", log()));
}

bool BuiltProgram::create_from(const std::string& binary) {
  CDevice* const device = driver_->device();
  const auto* bytes = reinterpret_cast<const unsigned char*>(binary.data());
  const size_t size = binary.size();
  Status taken = kSuccess, status = kSuccess;
  program_ = driver_->api().clCreateProgramWithBinary(driver_->context(), 1, &device, &size, &bytes, &taken,
                                                      &status);
  return program_ && status == kSuccess && taken == kSuccess;
}

Status BuiltProgram::build() const {
  CDevice* const device = driver_->device();
  return driver_->api().clBuildProgram(program_, 1, &device, options().c_str(), nullptr, nullptr);
}

std::string BuiltProgram::binary() const {
  const Api& api = driver_->api();
  size_t size = 0;
  if (api.clGetProgramInfo(program_, kProgramBinarySizes, sizeof size, &size, nullptr) != kSuccess ||
      size == 0)
    return {};
  std::string bytes(size, '\0');
  char* to = bytes.data();
  return api.clGetProgramInfo(program_, kProgramBinaries, sizeof(char*), static_cast<void*>(&to), nullptr) ==
                 kSuccess
             ? bytes
             : "";
}

std::string BuiltProgram::log() const {
  const Api& api = driver_->api();
  size_t size = 0;
  if (api.clGetProgramBuildInfo(program_, driver_->device(), kBuildLog, 0, nullptr, &size) != kSuccess ||
      size < 2)
    return "its compiler says nothing";
  std::string text(size, '\0');
  api.clGetProgramBuildInfo(program_, driver_->device(), kBuildLog, size, text.data(), nullptr);
  text.resize(std::min(text.find('\0'), size));
  std::string line(trim(text));
  std::ranges::replace(line, '\n', '|');  // a message is one line
  return line;
}

CKernel* BuiltProgram::make_kernel(const std::string& name) const {
  Status status = kSuccess;
  CKernel* const kernel = driver_->api().clCreateKernel(program_, name.c_str(), &status);
  driver_->check(status, concat("find the kernel ", name));
  return kernel;
}

namespace {

// A kernel object holds its arguments: each launch of a context has one.
class ReadyKernel : public launches::ReadyLaunch {
 public:
  ReadyKernel(const Driver& driver, CKernel* kernel, const launches::Launch& launch)
      : driver_(driver), kernel_(kernel), launch_(launch) {
    const auto first = static_cast<uint32_t>(2 * launch.buffers.size());
    for (uint32_t k = 0; k < launch.numbers.size(); ++k)
      set(first + k, sizeof(int64_t), &launch.numbers[k], "take a kernel's numbers");
  }
  ReadyKernel(const ReadyKernel&) = delete;
  ReadyKernel& operator=(const ReadyKernel&) = delete;
  ~ReadyKernel() override { driver_.api().clReleaseKernel(kernel_); }

  void start(std::span<const Place> operands) override {
    if (launch_.groups == 0) return;
    for (uint32_t i = 0; i < operands.size(); ++i) {
      set(2 * i, sizeof(CMemory*), static_cast<const void*>(&operands[i].memory), "take a kernel's memory");
      set(2 * i + 1, sizeof(uint64_t), &operands[i].offset, "take a kernel's memory");
    }
    driver_.launch(kernel_, launch_.groups, launch_.lanes);
  }

 private:
  void set(uint32_t number, size_t size, const void* value, std::string_view what) {
    driver_.check(driver_.api().clSetKernelArg(kernel_, number, size, value), what);
  }

  const Driver& driver_;
  CKernel* kernel_;
  const launches::Launch& launch_;
};

}  // namespace

std::unique_ptr<launches::BuiltKernels> Driver::build(const std::string& source) {
  return std::make_unique<BuiltProgram>(shared_from_this(), source);
}

std::unique_ptr<launches::ReadyLaunch> Driver::ready(const launches::BuiltKernels* built,
                                                     const std::string& kernel,
                                                     const launches::Launch& launch) const {
  CKernel* const made = static_cast<const BuiltProgram*>(built)->make_kernel(kernel);
  return std::make_unique<ReadyKernel>(*this, made, launch);
}

}  // namespace temper::opencl
