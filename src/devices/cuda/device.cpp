#include "base/check.h"
#include "devices/cuda/blas.h"
#include "devices/cuda/cuda.h"
#include "devices/cuda/driver.h"
#include "devices/cuda/energy.h"
#include "launches/executable.h"
#include "runtime/peaks.h"

namespace temper::cuda {

namespace {

std::string products_text(const Driver& driver) {
  const Blas* const blas = driver.blas();
  if (!blas) return concat("own kernels (", driver.why_no_blas(), ")");
  return concat("cuBLASLt ", blas->version(), blas->tf32() ? ", f32 as TF32" : "");
}

class CudaDevice : public Device {
 public:
  CudaDevice(std::string name, std::shared_ptr<Driver> driver)
      : name_(std::move(name)), driver_(std::move(driver)), energy_(driver_->bus()) {
    int major = 0, minor = 0;
    driver_->nvrtc().api.nvrtcVersion(&major, &minor);
    facts_.target = {.name = "cuda"};
    facts_.target.facts = {{"architecture", concat("sm_", driver_->architecture())},
                           {"device", driver_->name()},
                           {"driver", concat("CUDA ", version_text(driver_->version()))},
                           {"nvrtc", concat(major, ".", minor, ", ", driver_->nvrtc().library.name())},
                           {"products", products_text(*driver_)},
                           {"units", concat(driver_->units())}};
    if (const Blas* const blas = driver_->blas()) facts_.target.facts.emplace("cublaslt", blas->version());
    facts_.target.memory_bytes = driver_->memory_bytes();
    facts_.description = concat(driver_->name(), ", ", driver_->units(), " multiprocessors");
    if (energy_.joules()) facts_.power_counter = "NVML";
  }

  std::string_view name() const override { return name_; }
  const Target& target() const override { return cuda_target(); }
  DeviceFacts facts() override { return facts_; }
  DeviceFacts measure() override {
    if (!peaks_) peaks_ = measure_peaks(*this);
    return with_peaks(facts_, *peaks_);
  }
  std::optional<double> joules() override { return energy_.joules(); }

  Tensor allocate(const Type& type, int64_t) override {
    Tensor tensor = driver_->make_tensor(type, this);
    driver_->zero(driver_->place_of(tensor), tensor.bytes());
    return tensor;
  }

  void copy(const Tensor& from, Tensor& to) override {
    TEMPER_CHECK(from.type() == to.type(), "copy from ", to_string(from.type()), " to ",
                 to_string(to.type()));
    if (from.on_host()) {
      driver_->write(from.data(), driver_->place_of(to), from.bytes());
    } else if (to.on_host()) {
      driver_->read(driver_->place_of(from), to.mutable_data(), to.bytes());
    } else if (from.storage() != to.storage()) {
      driver_->copy(driver_->place_of(from), driver_->place_of(to), from.bytes());
      driver_->finish();
    }
  }

  std::unique_ptr<Executable> load(std::shared_ptr<const Program> program) override {
    return launches::make_executable(*this, driver_, cuda_vendor(), std::move(program));
  }

 private:
  std::string name_;
  std::shared_ptr<Driver> driver_;
  EnergyCounter energy_;
  DeviceFacts facts_;
  std::optional<Peaks> peaks_;
};

std::unique_ptr<Device> open(std::string_view which) {
  const int number = device_number("cuda", which);
  return std::make_unique<CudaDevice>(concat("cuda", which.empty() ? "" : ":", which),
                                      Driver::create(number));
}

}  // namespace

DeviceKind cuda_device() { return {"cuda", open, &cuda_target()}; }

}  // namespace temper::cuda
