#pragma once
// The GPU that tests run on: this processor behind the entry points of NVIDIA's libraries (cuda_fake/).
#include <string>

namespace temper {

// From now on libraries of NVIDIA's are those of the folder that this returns; the machine's own if
// TEMPER_TEST_GPU is set.
std::string use_fake_cuda();

// How often an entry point of the fake was called; "libcuda.so.1", "libcublasLt.so.13".
int fake_cuda_calls(const std::string& library, const char* name);

// After its GPU was lost: there again.
void heal_fake_cuda();

// NVRTC from tests/requirements.txt, or the toolkit's; empty if there is none.
std::string nvrtc_file();

}  // namespace temper
