#pragma once
// The PJRT plug-in that tests run: XLA for this processor, from tests/requirements.txt.
#include <filesystem>

namespace temper {

// Where its file lies, or would lie if `./run install test` had run.
std::filesystem::path pjrt_cpu_plugin();

}  // namespace temper
