#pragma once
// The PJRT plug-ins of tests, from tests/requirements.txt: XLA for this processor, and the compiler for TPUs.
#include <filesystem>

namespace temper {

// Where its file lies, or would lie if `./run install test` had run.
std::filesystem::path pjrt_cpu_plugin();
std::filesystem::path tpu_compiler();

}  // namespace temper
