#pragma once
// Compiled programs kept on disk, under the cache folder: a compiler takes seconds where reading takes
// milliseconds. At most 1 GB for a kind of device.
#include <optional>
#include <string>
#include <string_view>

namespace temper {

class ProgramCache {
 public:
  // In the folder `part`, by all that a compiled program depends on.
  ProgramCache(std::string_view part, std::string_view key);

  // None if there is none; one that is damaged is said on the log and counts as none.
  std::optional<std::string> find() const;
  void keep(std::string_view bytes) const;  // nothing happens where nothing can be kept
  bool keeps() const { return !path_.empty(); }
  void damaged(std::string_view why) const;  // says so

 private:
  std::string path_, head_;  // path empty: no cache
};

}  // namespace temper
