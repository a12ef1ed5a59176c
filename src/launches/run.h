#pragma once
// The mutable part of running a plan on the device.
#include "launches/machine.h"

namespace temper::launches {

// Constants of a plan and of its bodies on the device; the same for all contexts.
struct PlanConstants {
  PlanConstants(Machine& machine, const void* device, const Plan& plan);
  std::vector<Tensor> values;
  std::vector<std::vector<PlanConstants>> bodies;  // by launch; empty for a kernel
};

class PlanState {
 public:
  // built: null if the plan has no kernels.
  PlanState(const Machine& machine, const BuiltKernels* built, const KernelTable& kernels, const Plan& plan,
            const PlanConstants& constants);

  // Puts all launches into the queue; waits only where a value decides what comes next.
  void run(std::span<const Place> arguments, std::span<const Place> results, Place arena);

  void set_profiling(bool on);
  bool profiling() const { return !measured_.empty(); }
  std::vector<LaunchProfile> profile() const { return measured_; }

 private:
  Place place_of(const Buffer& buffer, std::span<const Place> arguments, std::span<const Place> results,
                 Place arena) const;
  void start(size_t number, std::span<const Place> places);
  void run_control(size_t number, std::span<const Place> places);
  void scan(const Control& control, PlanState& body, std::span<const Place> in, std::span<const Place> out,
            Place scratch);
  void loop(const Control& control, std::vector<std::unique_ptr<PlanState>>& bodies,
            std::span<const Place> in, std::span<const Place> out, Place scratch);
  bool holds(Place verdict) const;

  const Machine& machine_;
  const Plan& plan_;
  const PlanConstants& constants_;
  std::vector<std::unique_ptr<ReadyLaunch>> ready_;              // by launch; null for a copy or a control
  std::vector<std::vector<std::unique_ptr<PlanState>>> bodies_;  // by launch
  std::vector<LaunchProfile> measured_;                          // measures while it is not empty
};

}  // namespace temper::launches
