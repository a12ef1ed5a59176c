#include "base/cache_folder.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <vector>

namespace temper {

namespace fs = std::filesystem;

static fs::path cache_root() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return fs::path(value ? value : "");
  };
  if (const fs::path own = variable("TEMPER_CACHE"); !own.empty()) return own == "off" ? fs::path() : own;
  if (const fs::path shared = variable("XDG_CACHE_HOME"); shared.is_absolute()) return shared / "temper";
  if (const fs::path home = variable("HOME"); !home.empty()) return home / ".cache" / "temper";
  return {};
}

std::optional<std::string> cache_folder(std::string_view part) {
  const fs::path root = cache_root();
  if (root.empty()) return std::nullopt;
  const fs::path folder = root / part;
  std::error_code error;
  fs::create_directories(folder, error);
  if (error || access(folder.c_str(), W_OK | X_OK) != 0) return std::nullopt;
  return folder.string();
}

void trim_cache(const std::string& folder, int64_t limit, const std::string& keep) {
  struct File {
    fs::file_time_type used;
    int64_t bytes;
    fs::path path;
  };
  std::vector<File> files;
  int64_t total = 0;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    std::error_code gone;
    const auto bytes = static_cast<int64_t>(entry.file_size(gone));
    if (gone || !entry.is_regular_file(gone)) continue;
    total += bytes;
    if (entry.path() != keep) files.push_back({entry.last_write_time(gone), bytes, entry.path()});
  }
  std::ranges::sort(files, {}, &File::used);
  for (const File& file : files) {
    if (total <= limit) return;
    if (fs::remove(file.path, error)) total -= file.bytes;
  }
}

}  // namespace temper
