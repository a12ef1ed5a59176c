#include "support/pjrt.h"

#include "support/data.h"

namespace temper {

namespace fs = std::filesystem;

static fs::path in_site_packages(const fs::path& file) {
  const fs::path libraries = in_repository("third_party/oracles/lib");
  std::error_code error;
  for (const fs::directory_entry& python : fs::directory_iterator(libraries, error)) {
    if (fs::exists(python.path() / "site-packages" / file, error))
      return python.path() / "site-packages" / file;
  }
  return libraries / "python3" / "site-packages" / file;
}

fs::path pjrt_cpu_plugin() { return in_site_packages("xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so"); }
fs::path tpu_compiler() { return in_site_packages("libtpu/libtpu.so"); }

}  // namespace temper
