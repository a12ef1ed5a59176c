#pragma once
// The device that these tests run on, and a counter of calls to its loader.
#include <gtest/gtest.h>

#include <functional>

#include "base/dynamic_library.h"
#include "base/text.h"
#include "devices/opencl/opencl.h"
#include "support/opencl.h"

namespace temper::opencl {

inline std::string fake(const std::string& name) { return TEMPER_FAKES "/libopencl_" + name + ".so"; }

// PoCL, its calls counted. Nothing is kept on disk unless a test says where.
inline Device& counted_device() {
  setenv("TEMPER_CACHE", "off", 0);
  setenv("TEMPER_OPENCL_LIBRARY", fake("counting").c_str(), 1);
  register_device(opencl_device());
  return open_device("opencl");
}

inline int times_called(const char* name) {
  static const DynamicLibrary library = DynamicLibrary::open(fake("counting"));
  return library.symbol<int (*)(const char*)>("times_called")(name);
}

inline std::function<int()> calls_of(const char* name) {
  return [name] { return times_called(name); };
}

}  // namespace temper::opencl
