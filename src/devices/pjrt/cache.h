#pragma once
// Compiled programs kept on disk, under the cache folder: XLA takes seconds where reading one takes
// milliseconds.
#include <optional>
#include <string>
#include <string_view>

namespace temper::pjrt {

// What compiled programs depend on beside their text and the plug-in, where this processor runs them.
std::string processor_features();

class ExecutableCache {
 public:
  // By all that a compiled program depends on.
  explicit ExecutableCache(std::string_view key);

  // None if there is none; one that is damaged is said on the log and counts as none.
  std::optional<std::string> find() const;
  void keep(std::string_view bytes) const;   // nothing happens where nothing can be kept
  void damaged(std::string_view why) const;  // says so

 private:
  std::string path_;  // empty: no cache
};

}  // namespace temper::pjrt
