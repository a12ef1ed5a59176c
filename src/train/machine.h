#pragma once
// The devices, the threads and the arithmetic that --device, --threads and --precision mean here.
#include <string_view>
#include <vector>

#include "runtime/device.h"

namespace temper {

// The first of "tpu,cpu" that answers, with a line on the log for each that does not; "auto" or empty:
// TEMPER_DEVICE, else cpu. Error device if none does; invalid for words that mean several, which only the
// functions below take.
Device& choose_device(std::string_view names);

// "cpu+opencl": devices that share samples, each of which must answer. Else the one of choose_device.
std::vector<Device*> choose_devices(std::string_view names);

// "frozen=opencl,head=tpu,cpu": who computes the frozen part and who trains, each the first that answers.
// Without roles the one of choose_device, for both. Error invalid for other roles, or if one is missing.
struct DeviceRoles {
  Device* frozen = nullptr;
  Device* head = nullptr;
  bool named = false;
};
DeviceRoles choose_roles(std::string_view names);

// 0: TEMPER_THREADS, else all that this process may use. Also makes the OpenMP team that large.
int choose_threads(int64_t threads);

// "f32", "bf16" or "int8" (i8), what --precision of `command` means. Error unsupported for "f16", and for
// "int8" of what trains; invalid for other words.
DType choose_precision(std::string_view option, std::string_view word, std::string_view command,
                       bool trains = false);

}  // namespace temper
