#pragma once
// TEMPER_CHECK(condition, parts...): an invariant of ours; stays on in release.
#include "base/text.h"
#include "temper/error.h"

namespace temper {
[[noreturn]] void check_failed(const char* condition, const char* file, int line, const std::string& message);
}  // namespace temper

#define TEMPER_CHECK(condition, ...)                                           \
  do {                                                                         \
    if (!(condition)) [[unlikely]]                                             \
      ::temper::check_failed(#condition, __FILE_NAME__, __LINE__,              \
                             ::temper::concat("" __VA_OPT__(, ) __VA_ARGS__)); \
  } while (false)
