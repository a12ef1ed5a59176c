#include "support/cuda.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>

#include "support/data.h"

namespace temper {

namespace fs = std::filesystem;

std::string use_fake_cuda() {
  if (!std::getenv("TEMPER_TEST_GPU")) setenv("TEMPER_CUDA_PATH", TEMPER_CUDA_FAKE, 1);
  return TEMPER_CUDA_FAKE;
}

template <class Function>
static Function fake_entry(const std::string& library, const char* name) {
  void* const opened = dlopen((fs::path(TEMPER_CUDA_FAKE) / library).c_str(), RTLD_NOW | RTLD_LOCAL);
  return reinterpret_cast<Function>(dlsym(opened, name));
}

int fake_cuda_calls(const std::string& library, const char* name) {
  return fake_entry<int (*)(const char*)>(library, "times_called")(name);
}

void heal_fake_cuda() { fake_entry<void (*)()>("libcuda.so.1", "fake_cuda_heal")(); }

std::string nvrtc_file() {
  std::error_code error;
  for (const fs::directory_entry& python :
       fs::directory_iterator(in_repository("third_party/oracles/lib"), error)) {
    const fs::path wheel = python.path() / "site-packages/nvidia/cu13/lib/libnvrtc.so.13";
    if (fs::exists(wheel, error)) return wheel.string();
  }
  const fs::path toolkit = "/usr/local/cuda/lib64/libnvrtc.so.13";
  return fs::exists(toolkit, error) ? toolkit.string() : "";
}

}  // namespace temper
