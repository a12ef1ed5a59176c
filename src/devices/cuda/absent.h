#pragma once
// Why there is no GPU to use, as far as the machine shows it.
#include <string>

#include "devices/cuda/api.h"

namespace temper::cuda {

// root: where /sys and /dev begin.
std::string why_no_driver(const std::string& root = "/");                // libcuda is not there
std::string why_no_start(Status status, const std::string& root = "/");  // cuInit failed; empty: not known

}  // namespace temper::cuda
