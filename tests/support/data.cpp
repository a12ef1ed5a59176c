#include "support/data.h"

#include <cstdlib>

namespace temper {

std::filesystem::path in_repository(std::string_view name) {
  return std::filesystem::path(TEMPER_SOURCE_DIR) / name;
}

std::filesystem::path shipped_data(std::string_view name) { return in_repository("examples/data") / name; }

std::filesystem::path shared_data(std::string_view name) {
  const char* given = std::getenv("TEMPER_SHARED");
  const std::filesystem::path root = given ? given : in_repository("../shared");
  return (root / "data" / name).lexically_normal();
}

}  // namespace temper
