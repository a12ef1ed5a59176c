#include "support/pjrt.h"

#include "support/data.h"

namespace temper {

namespace fs = std::filesystem;

fs::path pjrt_cpu_plugin() {
  const fs::path libraries = in_repository("third_party/oracles/lib");
  const fs::path inside = "site-packages/xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so";
  std::error_code error;
  for (const fs::directory_entry& python : fs::directory_iterator(libraries, error)) {
    if (fs::exists(python.path() / inside, error)) return python.path() / inside;
  }
  return libraries / "python3" / inside;
}

}  // namespace temper
