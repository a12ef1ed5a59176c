#pragma once
// NVIDIA's libraries, opened at run time and never closed: their threads live as long as the process.
#include <optional>
#include <string>
#include <vector>

#include "base/dynamic_library.h"
#include "devices/cuda/api.h"

namespace temper::cuda {

template <class Api>
struct Opened {
  DynamicLibrary library;
  Api api;
};

// Where libraries are looked for: TEMPER_CUDA_PATH (folders, colon-separated) and nowhere else if it is set;
// else CUDA_HOME, CUDA_PATH, the system (by its loader), /usr/local/cuda, and nvidia/*/lib in Python's
// packages. Empty: the system.
std::vector<std::string> library_folders();

// Every `name` that opens, best first; `tried`: what was looked through, and what did not open, for people.
std::vector<DynamicLibrary> find_libraries(const std::vector<std::string>& names, std::string& tried);

// Error device: no driver, with what the machine shows of a GPU; or it lacks an entry point.
const Opened<DriverApi>& open_driver();

// Of the newest major version that a driver of this version takes, and that knows the architecture (90 for
// sm_90). Error device says what is missing and how to get it.
const Opened<NvrtcApi>& open_nvrtc(int driver_version, int architecture);

// Null where there is none; `why` then says so.
const Opened<BlasApi>* open_blas(int driver_version, std::string& why);
const Opened<NvmlApi>* open_nvml(std::string& why);

std::string version_text(int version);  // "12.4" for 12040

}  // namespace temper::cuda
