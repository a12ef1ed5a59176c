#pragma once
// Where results that can be computed again are kept between runs: TEMPER_CACHE, else the XDG cache folder.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace temper {

// The folder `part` of the cache, made if need be. None if TEMPER_CACHE is "off" or nothing can be written
// there.
std::optional<std::string> cache_folder(std::string_view part);

// Removes the least recently used files of `folder` until they hold at most `limit` bytes; `keep` stays.
void trim_cache(const std::string& folder, int64_t limit, const std::string& keep);

}  // namespace temper
