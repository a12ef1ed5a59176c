#include "devices/cuda/driver.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "base/text.h"
#include "devices/cuda/absent.h"
#include "devices/cuda/blas.h"
#include "devices/cuda/compiler.h"
#include "devices/cuda/recording.h"
#include "devices/cuda/upload.h"

namespace temper::cuda {

namespace {

// "CUDA error 700, CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered"
std::string status_text(const DriverApi& api, Status status) {
  const char *name = nullptr, *text = nullptr;
  api.cuGetErrorName(status, &name);
  api.cuGetErrorString(status, &text);
  return concat("CUDA error ", status, name ? concat(", ", name) : "", text ? concat(": ", text) : "");
}

// After these every later call fails, too.
bool is_lost(Status status) {
  static constexpr Status kLost[] = {
      kDeviceUnavailable,  kEccUncorrectable,  kIllegalAddress, kHardwareStackError,
      kIllegalInstruction, kMisalignedAddress, kLaunchFailed,   kUnknown};
  return std::ranges::find(kLost, status) != std::end(kLost);
}

void start(const Opened<DriverApi>& driver) {
  const DriverApi& api = driver.api;
  int version = 0;
  if (api.cuDriverGetVersion(&version) == 0 && version < kOldestDriver)
    throw Error(ErrorKind::device,
                concat("the NVIDIA driver is too old: it has CUDA ", version_text(version), ", ",
                       version_text(kOldestDriver), " is wanted; update the driver (to 525 or newer)"));
  const Status status = api.cuInit(0);
  if (status == 0) return;
  const std::string why = why_no_start(status);
  throw Error(ErrorKind::device, concat("'", driver.library.name(), "' does not start (",
                                        status_text(api, status), ")", why.empty() ? "" : "; ", why));
}

// TEMPER_CUDA_PRODUCTS: f32 (as if it were not set), tf32, or own: no cuBLASLt.
std::string wanted_products() {
  const char* const value = std::getenv("TEMPER_CUDA_PRODUCTS");
  const std::string wanted = value && *value ? value : "f32";
  if (wanted != "f32" && wanted != "tf32" && wanted != "own")
    throw Error(ErrorKind::device,
                concat("TEMPER_CUDA_PRODUCTS: expected f32, tf32 or own, found `", wanted, "`"));
  return wanted;
}

// What a tensor's storage owns.
class Memory {
 public:
  Memory(std::shared_ptr<Driver> driver, const Type& type)
      : driver_(std::move(driver)),
        address_(driver_->allocate(byte_size(type), concat("a tensor ", to_string(type)))) {}
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() { driver_->free(address_); }
  Address get() const { return address_; }

 private:
  std::shared_ptr<Driver> driver_;
  Address address_;
};

}  // namespace

std::shared_ptr<Driver> Driver::create(int number) {
  const Opened<DriverApi>& driver = open_driver();
  start(driver);
  int count = 0, device = 0;
  if (const Status status = driver.api.cuDeviceGetCount(&count); status != 0)
    throw Error(ErrorKind::device, concat("'", driver.library.name(), "' does not count its GPUs (",
                                          status_text(driver.api, status), ")"));
  if (number >= count)
    throw Error(ErrorKind::device,
                concat("the NVIDIA driver shows ", count, count == 1 ? " GPU" : " GPUs",
                       ", none with number ", number, " (CUDA_VISIBLE_DEVICES hides some)"));
  driver.api.cuDeviceGet(&device, number);
  auto opened = std::make_shared<Driver>(driver, device);
  // At the end of the process the driver's library may be gone before our statics are: its context stays.
  static auto& kept = *std::make_unique<std::vector<std::shared_ptr<Driver>>>().release();
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  return kept.emplace_back(std::move(opened));
}

Driver::Driver(const Opened<DriverApi>& driver, int device) : api_(driver.api), device_(device) {
  char name[256] = "";
  api_.cuDeviceGetName(name, sizeof name, device_);
  name_ = name;
  api_.cuDriverGetVersion(&version_);
  architecture_ = 10 * attribute(kCapabilityMajor) + attribute(kCapabilityMinor);
  nvrtc_ = &open_nvrtc(version_, architecture_);
  check(api_.cuDevicePrimaryCtxRetain(&context_, device_), "be opened");
  const Turn turn = enter();
  check(api_.cuStreamCreate(&stream_, kNonBlockingStream), "make a stream");
  upload_ = std::make_unique<Upload>(*this);
  const std::string products = wanted_products();
  if (products == "own")
    why_no_blas_ = "TEMPER_CUDA_PRODUCTS=own";
  else if (const Opened<BlasApi>* const blas = open_blas(version_, why_no_blas_))
    blas_ = std::make_unique<Blas>(*this, blas->api, products == "tf32");
}

Driver::~Driver() = default;  // create() keeps it: streams and context end with the process

int Driver::attribute(DeviceAttribute what) const {
  int value = 0;
  check(api_.cuDeviceGetAttribute(&value, what, device_), "tell what it is");
  return value;
}

int Driver::units() const { return attribute(kMultiprocessors); }

int64_t Driver::memory_bytes() const {
  size_t bytes = 0;
  check(api_.cuDeviceTotalMem_v2(&bytes, device_), "tell its memory");
  return static_cast<int64_t>(bytes);
}

std::string Driver::bus() const {
  char text[32] = "";
  return api_.cuDeviceGetPCIBusId(text, sizeof text, device_) == 0 ? text : "";
}

Driver::Turn Driver::enter() const {
  Turn turn(turn_);
  check(api_.cuCtxSetCurrent(context_), "be used by a thread");
  return turn;
}

Driver::Turn Driver::enter_to_free() const {
  Turn turn(turn_);
  api_.cuCtxSetCurrent(context_);
  return turn;
}

void Driver::check(Status status, std::string_view what) const {
  if (status == 0) return;
  throw Error(status == kOutOfMemory ? ErrorKind::exhausted : ErrorKind::device,
              concat("'", name_, "' could not ", what, ": ", status_text(api_, status),
                     is_lost(status) ? "; it is lost to this process, what it held too" : ""));
}

Address Driver::allocate(int64_t bytes, std::string_view what) const {
  const Turn turn = enter();
  Address memory = nullptr;
  const Status status = api_.cuMemAlloc_v2(&memory, static_cast<size_t>(std::max<int64_t>(bytes, 1)));
  if (status != kOutOfMemory) {
    check(status, concat("allocate ", bytes, " bytes for ", what));
    return memory;
  }
  size_t left = 0, all = 0;
  api_.cuMemGetInfo_v2(&left, &all);
  throw Error(ErrorKind::exhausted, concat("'", name_, "' could not allocate ", bytes, " bytes for ", what,
                                           ": ", left, " of its ", all, " bytes are left"));
}

void Driver::free(Address memory) const {
  const Turn turn = enter_to_free();
  api_.cuMemFree_v2(memory);
}

Tensor Driver::make_tensor(const Type& type, const void* device) {
  auto storage = std::make_shared<Storage>();
  storage->bytes = byte_size(type);
  storage->owner = std::make_shared<Memory>(shared_from_this(), type);
  storage->device = device;
  return {type, std::move(storage)};
}

Place Driver::place_of(const Tensor& tensor) const {
  return {static_cast<Memory*>(tensor.storage()->owner.get())->get(), 0};
}

void Driver::write(const void* from, Place to, int64_t bytes) const {
  if (bytes > 0) upload_->write(from, address(to), bytes);
}

void Driver::zero(Place at, int64_t bytes) const {
  if (bytes > 0) upload_->zero(address(at), bytes);
}

void Driver::read(Place from, void* to, int64_t bytes) const {
  const Turn turn = enter();
  if (bytes > 0)
    check(api_.cuMemcpyDtoHAsync_v2(to, address(from), static_cast<size_t>(bytes), stream_),
          "give a tensor back");
  finish();
}

void Driver::copy(Place from, Place to, int64_t bytes) const {
  const Turn turn = enter();
  if (bytes > 0)
    check(api_.cuMemcpyDtoDAsync_v2(address(to), address(from), static_cast<size_t>(bytes), stream_),
          "copy a tensor");
}

void Driver::finish() const {
  const Turn turn = enter();
  check(api_.cuStreamSynchronize(stream_), "finish its work");
}

std::unique_ptr<launches::BuiltKernels> Driver::build(const std::string& source) {
  return std::make_unique<Module>(*this, source);
}

std::unique_ptr<launches::ReadyLaunch> Driver::ready(const launches::BuiltKernels* built,
                                                     const std::string& kernel,
                                                     const launches::Launch& launch) const {
  if (launch.call) return blas_->ready(launch);
  return static_cast<const Module*>(built)->ready(kernel, launch);
}

std::unique_ptr<launches::Recording> Driver::make_recording() const {
  return std::make_unique<GraphRecording>(*this);
}

}  // namespace temper::cuda
