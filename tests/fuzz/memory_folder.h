#pragma once
// A folder of this process alone, in memory where there is such a place: writing syncs, which on a disk takes
// long.
#include <unistd.h>

#include <filesystem>
#include <string>

namespace temper {

class MemoryFolder {
 public:
  MemoryFolder() {
    const std::filesystem::path shared = "/dev/shm";
    const bool usable = access(shared.c_str(), W_OK) == 0;
    path_ = (usable ? shared : std::filesystem::temp_directory_path()) /
            ("temper_fuzz_" + std::to_string(getpid()));
    std::filesystem::create_directories(path_);
  }
  MemoryFolder(const MemoryFolder&) = delete;
  MemoryFolder& operator=(const MemoryFolder&) = delete;
  ~MemoryFolder() { std::filesystem::remove_all(path_); }

  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace temper
