#pragma once
#include <cstdint>
#include <string_view>

namespace temper {

inline constexpr std::string_view kVersion = "0.1.0";
inline constexpr int64_t kSchema = 1;  // of the JSON results; raised when a key changes its meaning

}  // namespace temper
