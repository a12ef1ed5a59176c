#pragma once
// The mutable part of running a plan on the device.
#include <span>

#include "devices/opencl/driver.h"
#include "devices/opencl/kernels.h"
#include "devices/opencl/plan.h"

namespace temper::opencl {

// Constants of a plan and of its bodies on the device; the same for all contexts.
struct PlanConstants {
  PlanConstants(const std::shared_ptr<Driver>& driver, const Plan& plan);
  std::vector<std::unique_ptr<Memory>> values;
  std::vector<std::vector<PlanConstants>> bodies;  // by launch; empty for a kernel
};

class PlanState {
 public:
  // program: null if the plan has no kernels.
  PlanState(const Driver& driver, const BuiltProgram* program, const KernelTable& kernels, const Plan& plan,
            const PlanConstants& constants);
  PlanState(const PlanState&) = delete;
  PlanState& operator=(const PlanState&) = delete;
  ~PlanState();

  // Puts all launches into the queue; waits only where a value decides what comes next.
  void run(std::span<const Place> arguments, std::span<const Place> results, Place arena);

  void set_profiling(bool on);
  std::vector<LaunchProfile> profile() const { return measured_; }

 private:
  Place place_of(const Buffer& buffer, std::span<const Place> arguments, std::span<const Place> results,
                 Place arena) const;
  void start(size_t number, std::span<const Place> places);
  void run_control(size_t number, std::span<const Place> places);
  void scan(const Control& control, std::vector<std::unique_ptr<PlanState>>& bodies,
            std::span<const Place> in, std::span<const Place> out, Place scratch);
  void loop(const Control& control, std::vector<std::unique_ptr<PlanState>>& bodies,
            std::span<const Place> in, std::span<const Place> out, Place scratch);
  bool holds(Place verdict) const;

  const Driver& driver_;
  const Plan& plan_;
  const PlanConstants& constants_;
  std::vector<CKernel*> kernels_;                                // by launch; null if it has none
  std::vector<std::vector<std::unique_ptr<PlanState>>> bodies_;  // by launch
  std::vector<LaunchProfile> measured_;                          // measures while it is not empty
};

}  // namespace temper::opencl
