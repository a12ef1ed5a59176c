#include <cstring>
#include <new>

#include "base/check.h"
#include "base/energy.h"
#include "devices/cpu/cpu.h"
#include "devices/cpu/executable.h"
#include "devices/cpu/onednn.h"
#include "devices/cpu/peaks.h"

namespace temper::cpu {

namespace {

class CpuDevice : public Device {
 public:
  std::string_view name() const override { return "cpu"; }
  const Target& target() const override { return cpu_target(); }

  DeviceFacts facts() override {
    DeviceFacts facts{.target = host_facts()};
    facts.description =
        concat(facts.target.facts.at("model"), ", ", facts.target.threads,
               facts.target.threads == 1 ? " thread, " : " threads, ", facts.target.facts.at("isa"));
    facts.power_counter = EnergyMeter().source();
    facts.on_host = true;
    return facts;
  }

  DeviceFacts measure() override {
    DeviceFacts all = facts();
    const Peaks& peaks = measured_peaks(all.target.threads);
    all.peak_flops = peaks.flops;
    all.peak_bf16_flops = peaks.bf16_flops;
    all.peak_bytes_per_second = peaks.bytes_per_second;
    return all;
  }

  Tensor allocate(const Type& type, int64_t layout) override try {
    const Tensor bytes(Type{DType::u8, {stored_bytes(type, layout)}});
    bytes.storage()->device = this;
    bytes.storage()->layout = layout;
    return Tensor(type, bytes.storage());
  } catch (const std::bad_alloc&) {
    throw Error(ErrorKind::exhausted, concat("no memory for ", byte_size(type), " bytes: ", to_string(type)));
  }

  void copy(const Tensor& from, Tensor& to) override {
    TEMPER_CHECK(from.type() == to.type(), "copy from ", to_string(from.type()), " to ",
                 to_string(to.type()));
    move_layout(from.type(), from.data(), from.storage()->layout, to.mutable_data(), to.storage()->layout);
  }

  std::unique_ptr<Executable> load(std::shared_ptr<const Program> program) override {
    return make_executable(*this, std::move(program));
  }
};

}  // namespace

DeviceKind cpu_device() {
  return {"cpu",
          [](std::string_view which) -> std::unique_ptr<Device> {
            if (const int ordinal = device_number("cpu", which); ordinal > 0)
              throw Error(ErrorKind::device,
                          concat("there is no `cpu:", ordinal, "`: all processors are `cpu`"));
            return std::make_unique<CpuDevice>();
          },
          &cpu_target()};
}

}  // namespace temper::cpu
