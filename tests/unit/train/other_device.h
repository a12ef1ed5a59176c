#pragma once
// The CPU under another name, so that there are two devices: `other`, whose runs are counted and may fail.
#include <atomic>
#include <cstdint>

#include "runtime/device.h"

namespace temper {

struct OtherRuns {
  std::atomic<int64_t> count = 0;
  std::atomic<int64_t> fail_at = -1;  // the number of the run that fails, from 0; -1: none
  std::atomic<int64_t> stop_at = -1;  // of the run during which the program is asked to stop
};
OtherRuns& other_runs();  // of all programs

Device& other_device();  // registers it

}  // namespace temper
