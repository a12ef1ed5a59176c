#pragma once
// A live device as a run sees it: memory, and commands that are carried out in order.
#include <functional>
#include <memory>
#include <span>

#include "launches/plan.h"
#include "temper/tensor.h"

namespace temper::launches {

// Where bytes lie: a memory, by the device's own name for it, and how many bytes further.
struct Place {
  void* memory = nullptr;
  uint64_t offset = 0;
  friend bool operator==(const Place&, const Place&) = default;
};

// A program's kernels as the device has them.
class BuiltKernels {
 public:
  virtual ~BuiltKernels() = default;
};

// A kernel or a library's call, with all that does not change from run to run. Of one context.
class ReadyLaunch {
 public:
  virtual ~ReadyLaunch() = default;
  virtual void start(std::span<const Place> operands) = 0;  // those of Launch::buffers
};

// What a context puts into the queue each time, kept if the device can repeat it by itself.
class Recording {
 public:
  virtual ~Recording() = default;
  // Carries out what `put` puts into the queue, which depends on nothing but the places.
  virtual void run(std::span<const Place> places, const std::function<void()>& put) = 0;
};

// Errors have the kind device, or exhausted, and name the device.
class Machine {
 public:
  virtual ~Machine() = default;

  virtual Tensor make_tensor(const Type& type, const void* device) = 0;  // not filled
  virtual Place place_of(const Tensor& tensor) const = 0;

  virtual void write(const void* from, Place to, int64_t bytes) const = 0;  // `from` is free on return
  virtual void read(Place from, void* to, int64_t bytes) const = 0;         // done on return
  virtual void zero(Place at, int64_t bytes) const = 0;
  virtual void copy(Place from, Place to, int64_t bytes) const = 0;
  virtual void finish() const = 0;

  virtual std::unique_ptr<BuiltKernels> build(const std::string& source) = 0;
  // `built` outlives it; null if `launch` has no kernel.
  virtual std::unique_ptr<ReadyLaunch> ready(const BuiltKernels* built, const std::string& kernel,
                                             const Launch& launch) const = 0;
  virtual std::unique_ptr<Recording> make_recording() const { return nullptr; }  // null: it cannot
};

}  // namespace temper::launches
