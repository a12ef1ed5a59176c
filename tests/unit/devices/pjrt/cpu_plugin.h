#pragma once
// The device that these tests run on, and a counter of calls to its plug-in.
#include <gtest/gtest.h>

#include <functional>

#include "base/dynamic_library.h"
#include "devices/pjrt/api.h"
#include "devices/pjrt/pjrt.h"
#include "support/data.h"
#include "support/pjrt.h"

namespace temper::pjrt {

inline std::string counting_plugin() { return TEMPER_FAKES "/libpjrt_counting.so"; }

// XLA for this processor, its calls counted. Nothing is kept on disk unless a test says where.
inline Device& counted_device() {
  setenv("TEMPER_CACHE", "off", 0);
  setenv("TEMPER_COUNTED_PLUGIN", pjrt_cpu_plugin().c_str(), 1);
  register_device(pjrt_device());
  return open_device("pjrt:" + counting_plugin());
}

inline int times_called(Function function) {
  static const DynamicLibrary library = DynamicLibrary::open(counting_plugin());
  return library.symbol<int (*)(Function)>("times_called")(function);
}

inline std::function<int()> calls_of(Function function) {
  return [function] { return times_called(function); };
}

}  // namespace temper::pjrt
