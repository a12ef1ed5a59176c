#pragma once
// Where tests find data: what the repository ships, and the larger sets that may stand beside it.
#include <gtest/gtest.h>

#include <filesystem>
#include <string_view>

namespace temper {

// examples/data/`name`.
std::filesystem::path shipped_data(std::string_view name);

// data/`name` below the environment variable TEMPER_SHARED, else below ../shared beside the repository. It
// may be absent.
std::filesystem::path shared_data(std::string_view name);

// `name` below the root of the repository.
std::filesystem::path in_repository(std::string_view name);

}  // namespace temper

// Skips the test it stands in if the file or folder is absent.
#define TEMPER_NEED(path)                                                                                   \
  do {                                                                                                      \
    if (!std::filesystem::exists(path)) GTEST_SKIP() << "skipped, because there is no " << (path).string(); \
  } while (false)
