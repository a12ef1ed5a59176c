#pragma once
// Files that may be compressed with gzip.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace temper {

bool is_gzip(std::span<const std::byte> bytes);

// The bytes that were compressed, at most `most` of them. Error corrupt if the stream is broken or ends
// early.
std::string gunzip(std::span<const std::byte> bytes, int64_t most);

}  // namespace temper
