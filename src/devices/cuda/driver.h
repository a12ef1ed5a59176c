#pragma once
// One GPU: its primary context, a stream for what is computed and one for what is uploaded. Errors have the
// kind device (exhausted where memory ran out) and name the GPU.
#include <memory>
#include <mutex>
#include <string>

#include "devices/cuda/libraries.h"
#include "launches/machine.h"
#include "temper/error.h"

namespace temper::cuda {

using launches::Place;  // of an Address

inline Address address(Place place) { return static_cast<Address>(place.memory) + place.offset; }

class Blas;
class Upload;

class Driver : public launches::Machine, public std::enable_shared_from_this<Driver> {
 public:
  // Error device says why there is none.
  static std::shared_ptr<Driver> create(int number);
  Driver(const Opened<DriverApi>& driver, int device);
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;
  ~Driver() override;

  const DriverApi& api() const { return api_; }
  const Opened<NvrtcApi>& nvrtc() const { return *nvrtc_; }
  const Blas* blas() const { return blas_.get(); }  // null: there is no cuBLASLt
  const std::string& why_no_blas() const { return why_no_blas_; }
  const std::string& name() const { return name_; }   // "NVIDIA H200"
  int version() const { return version_; }            // of the driver: 12040
  int architecture() const { return architecture_; }  // 90 for sm_90
  int units() const;
  int64_t memory_bytes() const;
  std::string bus() const;  // "0000:3B:00.0"
  CStream* stream() const { return stream_; }

  // While it lives, this thread's calls are for this GPU, and no other's come between: what is captured is
  // one run.
  using Turn = std::unique_lock<std::recursive_mutex>;
  [[nodiscard]] Turn enter() const;
  [[nodiscard]] Turn enter_to_free() const;  // the same of a GPU that may be lost
  void check(Status status, std::string_view what) const;
  Address allocate(int64_t bytes, std::string_view what) const;  // Error exhausted names the bytes
  void free(Address memory) const;

  Tensor make_tensor(const Type& type, const void* device) override;
  Place place_of(const Tensor& tensor) const override;
  void write(const void* from, Place to, int64_t bytes) const override;
  void zero(Place at, int64_t bytes) const override;  // in the order of writes
  void read(Place from, void* to, int64_t bytes) const override;
  void copy(Place from, Place to, int64_t bytes) const override;
  void finish() const override;
  std::unique_ptr<launches::BuiltKernels> build(const std::string& source) override;
  std::unique_ptr<launches::ReadyLaunch> ready(const launches::BuiltKernels* built, const std::string& kernel,
                                               const launches::Launch& launch) const override;
  std::unique_ptr<launches::Recording> make_recording() const override;

 private:
  int attribute(DeviceAttribute what) const;

  const DriverApi& api_;
  mutable std::recursive_mutex turn_;
  int device_, version_ = 0, architecture_ = 0;
  std::string name_, why_no_blas_;
  const Opened<NvrtcApi>* nvrtc_ = nullptr;
  CContext* context_ = nullptr;
  CStream* stream_ = nullptr;
  std::unique_ptr<Upload> upload_;
  std::unique_ptr<Blas> blas_;
};

}  // namespace temper::cuda
