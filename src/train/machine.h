#pragma once
// The device and the threads that --device and --threads mean here.
#include <string_view>

#include "runtime/device.h"

namespace temper {

// The first of "cpu,cuda:0" that answers; "auto" or empty: TEMPER_DEVICE, else cpu. Error device if none
// does.
Device& choose_device(std::string_view names);

// 0: TEMPER_THREADS, else all that this process may use. Also makes the OpenMP team that large.
int choose_threads(int64_t threads);

}  // namespace temper
