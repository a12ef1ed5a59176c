#pragma once
// Compiled programs kept on disk.
#include "runtime/program_cache.h"

namespace temper::pjrt {

// What compiled programs depend on beside their text and the plug-in, where this processor runs them.
std::string processor_features();

class ExecutableCache : public ProgramCache {
 public:
  explicit ExecutableCache(std::string_view key) : ProgramCache("pjrt", key) {}
};

}  // namespace temper::pjrt
