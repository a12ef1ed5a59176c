#pragma once
// Where tests find data: what the repository ships, and the larger sets that may stand beside it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>

namespace temper {

// examples/data/`name`.
inline std::filesystem::path shipped_data(std::string_view name) {
  return std::filesystem::path(TEMPER_SOURCE_DIR) / "examples/data" / name;
}

// data/`name` below the environment variable TEMPER_SHARED, or ../shared beside the repository. It may be
// absent.
inline std::filesystem::path shared_data(std::string_view name) {
  const char* given = std::getenv("TEMPER_SHARED");
  const std::filesystem::path root = given ? given : std::filesystem::path(TEMPER_SOURCE_DIR) / "../shared";
  return root / "data" / name;
}

}  // namespace temper

// Skips the test it stands in if the file or folder is absent.
#define TEMPER_NEED(path)                                                                                   \
  do {                                                                                                      \
    if (!std::filesystem::exists(path)) GTEST_SKIP() << "skipped, because there is no " << (path).string(); \
  } while (false)
