#pragma once
// The ICD loader and the driver's objects with owners: platform and device, memory, programs. Errors have the
// kind device (exhausted where memory ran out) and name the device.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/dynamic_library.h"
#include "devices/opencl/api.h"
#include "launches/machine.h"
#include "temper/error.h"

namespace temper::opencl {

// Opened once in a process and never closed: a driver's threads live as long.
class Loader {
 public:
  // TEMPER_OPENCL_LIBRARY, else libOpenCL.so.1. Error device: there is none, or it lacks an entry point.
  static const Loader& open();
  const Api& api() const { return api_; }
  const std::string& name() const { return library_.name(); }

 private:
  explicit Loader(const std::string& file);
  DynamicLibrary library_;
  Api api_;
};

// `what` could not be done: throws.
[[noreturn]] void fail(Status status, std::string_view device, std::string_view what);

class Driver;

class Memory {
 public:
  Memory(std::shared_ptr<Driver> driver, int64_t bytes);  // not filled; Error exhausted names the bytes
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory();
  CMemory* get() const { return memory_; }
  int64_t bytes() const { return bytes_; }

 private:
  std::shared_ptr<Driver> driver_;
  CMemory* memory_ = nullptr;
  int64_t bytes_;
};

using launches::Place;  // of a CMemory

// One device with its queue. Commands run in order.
class Driver : public launches::Machine, public std::enable_shared_from_this<Driver> {
 public:
  static std::shared_ptr<Driver> create(int number);  // of all devices of all platforms
  Driver(const Loader& loader, CPlatform* platform, CDevice* device);
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;
  ~Driver() override;

  const Api& api() const { return api_; }
  std::string text(uint32_t what) const;  // of the device
  uint64_t number(uint32_t what) const;
  std::string platform() const;
  const std::string& name() const { return name_; }  // for messages
  CContext* context() const { return context_; }
  CDevice* device() const { return device_; }

  Tensor make_tensor(const Type& type, const void* device) override;
  Place place_of(const Tensor& tensor) const override;
  void write(const void* from, Place to, int64_t bytes) const override;
  void read(Place from, void* to, int64_t bytes) const override;
  void zero(Place at, int64_t bytes) const override;
  void copy(Place from, Place to, int64_t bytes) const override;
  void finish() const override;
  std::unique_ptr<launches::BuiltKernels> build(const std::string& source) override;
  std::unique_ptr<launches::ReadyLaunch> ready(const launches::BuiltKernels* built, const std::string& kernel,
                                               const launches::Launch& launch) const override;

  void launch(CKernel* kernel, int64_t groups, int lanes) const;
  void check(Status status, std::string_view what) const {
    if (status != kSuccess) fail(status, name_, what);
  }

 private:
  const Api& api_;
  CPlatform* platform_;
  CDevice* device_;
  CContext* context_ = nullptr;
  CQueue* queue_ = nullptr;
  std::string name_;
};

// Every device of every platform, in the loader's order. Error device says why there is none.
struct Found {
  CPlatform* platform;
  CDevice* device;
};
std::vector<Found> find_devices(const Loader& loader);

}  // namespace temper::opencl
