#pragma once
// The live hardware behind one seam: allocate, copy, load, run. Nothing else in the code base knows a vendor.
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/energy.h"
#include "target/target.h"
#include "temper/tensor.h"

namespace temper {

// One step of a program; runs and seconds are those since profiling was turned on.
struct LaunchProfile {
  std::string name;    // of the node for people, else its op
  std::string kind;    // "conv2d+max", "reorder"
  int64_t flops = 0;   // of one run
  int64_t bytes = 0;   // read and written by one run
  bool again = false;  // to save memory it computes what was computed before
  int64_t runs = 0;
  double seconds = 0;  // of all runs
};

// Temporary memory that contexts may have in common, as large as the one that needs most.
struct Arena {
  Tensor memory;
};

// Everything mutable of running an Executable: arena, streams. One per caller, not shared between threads.
class Context {
 public:
  virtual ~Context() = default;
  // Measuring each launch costs two clock readings; off at first. Turning it on forgets what was measured.
  virtual void set_profiling(bool) {}
  virtual std::vector<LaunchProfile> profile() const { return {}; }  // in the order of launches
};

// Const and shareable.
class Executable {
 public:
  virtual ~Executable() = default;
  virtual const Program& program() const = 0;
  // Contexts that are given the same arena must not run at the same time.
  virtual std::unique_ptr<Context> make_context(std::shared_ptr<Arena> arena) const = 0;
  std::unique_ptr<Context> make_context() const { return make_context(std::make_shared<Arena>()); }
  virtual std::vector<LaunchProfile> launches() const { return {}; }  // in order; nothing measured

  // arguments: one per program().inputs, on this device, in its layout; donated ones are taken (left empty),
  // and after a failed run count as lost. results: one per program().outputs; an empty entry is allocated,
  // another is written in place (type and layout must match). Once every entry of results is given or
  // donated, and the context has run once, a run allocates nothing.
  virtual void run(Context& context, std::span<Tensor> arguments, std::span<Tensor> results) const = 0;
};

struct DeviceFacts {
  TargetFacts target;
  std::string description;             // "AMD EPYC, 2 cores, AVX-512"
  double peak_flops = 0;               // measured, f32 multiply-adds count as two; 0: not measured
  double peak_bf16_flops = 0;          // the same of bf16
  double peak_bytes_per_second = 0;    // measured
  double upload_bytes_per_second = 0;  // measured: from this machine's memory to the device's
  double launch_seconds = 0;           // measured: of a run that computes next to nothing
  std::string power_counter;           // where energy is read, empty if nowhere
  bool on_host = false;                // computes on the processor that this program runs on
};

class Device {
 public:
  virtual ~Device() = default;
  virtual std::string_view name() const = 0;  // "cpu", "cuda:0"
  virtual const Target& target() const = 0;
  virtual int replicas() const { return 1; }         // the most that a program may ask for
  virtual DeviceFacts facts() = 0;                   // at once; peaks only if they were measured
  virtual DeviceFacts measure() { return facts(); }  // with peaks; under a second, once per process
  // By a counter of the device's own, which facts() names; none if the machine's counters are all there are.
  virtual std::optional<double> joules() { return std::nullopt; }

  virtual Tensor allocate(const Type& type, int64_t layout) = 0;  // zeros; Error exhausted names the bytes
  // Between host and device or within the device, converting layouts; types must be equal. Done on return.
  virtual void copy(const Tensor& from, Tensor& to) = 0;
  virtual std::unique_ptr<Executable> load(std::shared_ptr<const Program> program) = 0;
};

// host tensor -> device in the layout of the argument; device tensor -> host, row-major
Tensor upload(Device& device, const Tensor& host, const Argument& like);
Tensor download(Device& device, const Tensor& tensor);

// The meter counts what the device has a counter of its own for, too.
void count_energy(EnergyMeter& meter, Device& device);

}  // namespace temper
