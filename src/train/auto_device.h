#pragma once
// What `--device auto` means.
#include <functional>
#include <string>
#include <string_view>

#include "train/setup.h"

namespace temper {

// Nothing names a device: neither these words nor TEMPER_DEVICE.
bool is_auto(std::string_view names);

// `names`; for auto what is known of `model` without measuring: the device that was once the fastest for it
// on this machine and, if that does not answer, cpu.
std::string known_device(const std::string& names, const std::string& model);

// The device remembered for the model on this machine; else, if the job is long enough to pay for it, the one
// on which a few of its steps ran fastest, which is remembered then; else the processor. One line on `events`
// says why.
// now: seconds.
double seconds_now();
Device& auto_device(const Setup& setup, TrainEvents& events,
                    const std::function<double()>& now = seconds_now);

}  // namespace temper
