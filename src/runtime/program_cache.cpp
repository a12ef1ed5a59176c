#include "runtime/program_cache.h"

#include <cstring>
#include <filesystem>

#include "base/cache_folder.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "temper/error.h"

namespace temper {

namespace {

namespace fs = std::filesystem;

constexpr int64_t kLimit = int64_t{1} << 30;  // bytes of all that is kept

}  // namespace

ProgramCache::ProgramCache(std::string_view part, std::string_view key)
    : head_(concat("temper.", part, " 1\n")) {
  const std::optional<std::string> folder = cache_folder(part);
  if (folder) path_ = concat(*folder, "/", hash_bytes(key), "-", hash_bytes(key, 1), ".bin");
}

void ProgramCache::damaged(std::string_view why) const {
  log_warn("'", path_, "' is damaged (", why, "): the program is compiled again");
}

// The head, a checksum of the rest, the rest.
std::optional<std::string> ProgramCache::find() const {
  std::error_code error;
  if (path_.empty() || !fs::exists(path_, error)) return std::nullopt;
  try {
    const MappedFile file(path_);
    const std::string_view text = file.text();
    const size_t start = head_.size() + sizeof(uint64_t);
    uint64_t checksum = 0;
    if (text.starts_with(head_) && text.size() >= start) {
      std::memcpy(&checksum, text.data() + head_.size(), sizeof checksum);
      if (checksum == hash_bytes(text.substr(start))) {
        fs::last_write_time(path_, fs::file_time_type::clock::now(),
                            error);  // the least recently used go first
        return std::string(text.substr(start));
      }
    }
    damaged("the checksum is wrong");
  } catch (const Error& problem) {
    if (problem.kind() != ErrorKind::not_found) damaged(problem.what());
  }
  return std::nullopt;
}

void ProgramCache::keep(std::string_view bytes) const {
  const auto size = static_cast<int64_t>(bytes.size());
  if (path_.empty() || size > kLimit / 4) return;
  try {
    const uint64_t checksum = hash_bytes(bytes);
    trim_cache(fs::path(path_).parent_path().string(), kLimit - size, path_);
    FileWriter writer(path_);
    writer.write(head_);
    writer.write(std::as_bytes(std::span(&checksum, 1)));
    writer.write(bytes);
    writer.commit();
  } catch (const Error&) {
    return;  // a full or read-only place: it works without
  }
}

}  // namespace temper
