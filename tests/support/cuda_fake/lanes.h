#pragma once
// The lanes of a group of a kernel.
#include <functional>

namespace temper::fake_cuda {

// Runs `lane` for 0 ... lanes - 1. One that calls wait() goes on when all others have, or have ended.
void run_group(unsigned lanes, const std::function<void(unsigned)>& lane,
               const std::function<void(unsigned)>& again);
void wait();

}  // namespace temper::fake_cuda
