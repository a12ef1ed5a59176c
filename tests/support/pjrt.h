#pragma once
// The PJRT plug-ins of tests, from tests/requirements.txt: XLA for this processor, and the compiler for TPUs.
#include <gtest/gtest.h>

#include <filesystem>

namespace temper {

// Where its file lies, or would lie if `./run install test` had run.
std::filesystem::path pjrt_cpu_plugin();
std::filesystem::path tpu_compiler();

}  // namespace temper

#define TEMPER_NEED_PJRT()                                                                                \
  do {                                                                                                    \
    if (!std::filesystem::exists(temper::pjrt_cpu_plugin()))                                              \
      GTEST_SKIP() << "skipped, because there is no PJRT plug-in for this processor: ./run install test"; \
  } while (false)
