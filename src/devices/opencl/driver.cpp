#include "devices/opencl/driver.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>

#include "base/text.h"

namespace temper::opencl {

namespace {

constexpr std::string_view kHowToGet =
    "install your device's driver (Debian: intel-opencl-icd, mesa-opencl-icd, nvidia-opencl-icd; for the "
    "processor pocl-opencl-icd)";

DynamicLibrary open_library(const std::string& file) {
  try {
    return DynamicLibrary::open(file);
  } catch (const Error& problem) {
    throw Error(ErrorKind::device, concat("there is no OpenCL loader '", file, "' (", problem.what(),
                                          "): install it (Debian: ocl-icd-libopencl1), and ", kHowToGet));
  }
}

std::string status_text(Status status) {
  switch (status) {
    case kAllocationFailed:
    case kOutOfResources:
    case kOutOfHostMemory:
      return concat("out of memory (OpenCL error ", status, ")");
    default:
      return concat("OpenCL error ", status);
  }
}

}  // namespace

void fail(Status status, std::string_view device, std::string_view what) {
  const bool memory = status == kAllocationFailed || status == kOutOfResources ||
                      status == kOutOfHostMemory || status == kInvalidBufferSize;
  throw Error(memory ? ErrorKind::exhausted : ErrorKind::device,
              concat("'", device, "' could not ", what, ": ", status_text(status)));
}

const Loader& Loader::open() {
  const char* const own = std::getenv("TEMPER_OPENCL_LIBRARY");
  struct Opened {
    std::mutex mutex;
    std::map<std::string, std::unique_ptr<const Loader>> by_file;
  };
  static Opened& opened = *std::make_unique<Opened>().release();  // outlives what else is static
  const std::lock_guard lock(opened.mutex);
  const std::string file = own && *own ? own : "libOpenCL.so.1";
  std::unique_ptr<const Loader>& loader = opened.by_file[file];
  if (!loader) loader.reset(new Loader(file));
  return *loader;
}

Loader::Loader(const std::string& file) : library_(open_library(file)) {
#define TEMPER_OPENCL_CALL(name, ...)                                      \
  api_.name = reinterpret_cast<decltype(api_.name)>(library_.find(#name)); \
  if (!api_.name)                                                          \
    throw Error(ErrorKind::device, concat("'", file, "' is no OpenCL 1.2 loader: it lacks ", #name));
  TEMPER_OPENCL_CALLS(TEMPER_OPENCL_CALL)
#undef TEMPER_OPENCL_CALL
}

std::vector<Found> find_devices(const Loader& loader) {
  const Api& api = loader.api();
  uint32_t count = 0;
  Status status = api.clGetPlatformIDs(0, nullptr, &count);
  if (status == kNoPlatform || (status == kSuccess && count == 0))
    throw Error(ErrorKind::device, concat("'", loader.name(), "' knows no OpenCL platform: ", kHowToGet));
  if (status != kSuccess) fail(status, loader.name(), "list its platforms");
  std::vector<CPlatform*> platforms(count);
  api.clGetPlatformIDs(count, platforms.data(), nullptr);
  std::vector<Found> found;
  for (CPlatform* const platform : platforms) {
    status = api.clGetDeviceIDs(platform, kAllDevices, 0, nullptr, &count);
    if (status == kDeviceNotFound || count == 0) continue;
    if (status != kSuccess) fail(status, loader.name(), "list the devices of a platform");
    std::vector<CDevice*> devices(count);
    api.clGetDeviceIDs(platform, kAllDevices, count, devices.data(), nullptr);
    for (CDevice* const device : devices) found.push_back({platform, device});
  }
  if (found.empty())
    throw Error(ErrorKind::device,
                concat("'", loader.name(), "' knows ", platforms.size(),
                       platforms.size() == 1 ? " OpenCL platform" : " OpenCL platforms",
                       ", but no device: is it there, and may you use it (groups video, render)?"));
  return found;
}

std::shared_ptr<Driver> Driver::create(int number) {
  const Loader& loader = Loader::open();
  const std::vector<Found> found = find_devices(loader);
  if (static_cast<size_t>(number) >= found.size())
    throw Error(ErrorKind::device,
                concat("there are ", found.size(), " OpenCL devices, none with number ", number));
  const Found& wanted = found[static_cast<size_t>(number)];
  auto driver = std::make_shared<Driver>(loader, wanted.platform, wanted.device);
  // At the end of the process a driver's library may be gone before our statics are: its context stays open.
  static auto& kept = *std::make_unique<std::vector<std::shared_ptr<Driver>>>().release();
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  return kept.emplace_back(std::move(driver));
}

Driver::Driver(const Loader& loader, CPlatform* platform, CDevice* device)
    : api_(loader.api()), platform_(platform), device_(device) {
  name_ = text(kDeviceName);
  Status status = kSuccess;
  context_ = api_.clCreateContext(nullptr, 1, &device_, nullptr, nullptr, &status);
  check(status, "be opened");
  queue_ = api_.clCreateCommandQueue(context_, device_, 0, &status);
  check(status, "be opened");
}

Driver::~Driver() {
  if (queue_) api_.clReleaseCommandQueue(queue_);
  if (context_) api_.clReleaseContext(context_);
}

std::string Driver::text(uint32_t what) const {
  size_t size = 0;
  if (api_.clGetDeviceInfo(device_, what, 0, nullptr, &size) != kSuccess || size == 0) return {};
  std::string value(size, '\0');
  api_.clGetDeviceInfo(device_, what, size, value.data(), nullptr);
  value.resize(std::min(value.find('\0'), size));
  return value;
}

std::string Driver::platform() const {
  std::string all;
  for (const uint32_t what : {kPlatformName, kPlatformVersion}) {
    char value[256] = "";
    if (api_.clGetPlatformInfo(platform_, what, sizeof value, value, nullptr) == kSuccess)
      all += concat(all.empty() ? "" : ", ", std::string_view(value));
  }
  return all;
}

// Integers of several widths are asked for.
uint64_t Driver::number(uint32_t what) const {
  uint64_t value = 0;
  size_t size = 0;
  api_.clGetDeviceInfo(device_, what, 0, nullptr, &size);
  if (size <= sizeof value) api_.clGetDeviceInfo(device_, what, size, &value, nullptr);
  return value;
}

Tensor Driver::make_tensor(const Type& type, const void* device) {
  auto storage = std::make_shared<Storage>();
  storage->bytes = byte_size(type);
  storage->owner = std::make_shared<Memory>(shared_from_this(), storage->bytes);
  storage->device = device;
  return {type, std::move(storage)};
}

Place Driver::place_of(const Tensor& tensor) const {
  return {static_cast<Memory*>(tensor.storage()->owner.get())->get(), 0};
}

static CMemory* memory_at(Place place) { return static_cast<CMemory*>(place.memory); }

void Driver::write(const void* from, Place to, int64_t bytes) const {
  if (bytes > 0)
    check(api_.clEnqueueWriteBuffer(queue_, memory_at(to), 1, to.offset, static_cast<size_t>(bytes), from, 0,
                                    nullptr, nullptr),
          "take a tensor");
}

void Driver::read(Place from, void* to, int64_t bytes) const {
  if (bytes > 0)
    check(api_.clEnqueueReadBuffer(queue_, memory_at(from), 1, from.offset, static_cast<size_t>(bytes), to, 0,
                                   nullptr, nullptr),
          "give a tensor back");
}

void Driver::copy(Place from, Place to, int64_t bytes) const {
  if (bytes > 0)
    check(api_.clEnqueueCopyBuffer(queue_, memory_at(from), memory_at(to), from.offset, to.offset,
                                   static_cast<size_t>(bytes), 0, nullptr, nullptr),
          "copy a tensor");
}

void Driver::zero(Place at, int64_t bytes) const {
  const unsigned char zero = 0;
  if (bytes > 0)
    check(api_.clEnqueueFillBuffer(queue_, memory_at(at), &zero, 1, at.offset, static_cast<size_t>(bytes), 0,
                                   nullptr, nullptr),
          "fill a tensor");
}

void Driver::launch(CKernel* kernel, int64_t groups, int lanes) const {
  const auto local = static_cast<size_t>(lanes), global = static_cast<size_t>(groups) * local;
  check(api_.clEnqueueNDRangeKernel(queue_, kernel, 1, nullptr, &global, &local, 0, nullptr, nullptr),
        "run a kernel");
}

void Driver::finish() const { check(api_.clFinish(queue_), "finish its work"); }

Memory::Memory(std::shared_ptr<Driver> driver, int64_t bytes) : driver_(std::move(driver)), bytes_(bytes) {
  Status status = kSuccess;
  memory_ = driver_->api().clCreateBuffer(driver_->context(), kReadWrite,
                                          static_cast<size_t>(std::max<int64_t>(bytes, 1)), nullptr, &status);
  if (status != kSuccess) fail(status, driver_->name(), concat("allocate ", bytes, " bytes"));
}

Memory::~Memory() {
  if (memory_) driver_->api().clReleaseMemObject(memory_);
}

}  // namespace temper::opencl
