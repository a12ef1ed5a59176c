#pragma once
// What streams carry out. They do so at once, unless they are captured.
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "devices/cuda/api.h"

namespace temper::cuda {

using Command = std::function<void()>;

struct CGraph {
  std::vector<Command> commands;
};
struct CGraphExec {
  std::vector<Command> commands;
};
struct CStream {
  CGraph* captured = nullptr;
  std::thread::id by = {};  // who captures
};

}  // namespace temper::cuda

namespace temper::fake_cuda {

inline constexpr cuda::Status kInvalidValue = 1, kNotInitialized = 3, kInvalidContext = 201, kNotFound = 500,
                              kCaptureUnsupported = 900;

std::mutex& running();  // held while commands run
cuda::Status enqueue(cuda::CStream* stream, cuda::Command command);

}  // namespace temper::fake_cuda

// For the other libraries: `work(data)` now or whenever the graph is launched; `data` is kept.
extern "C" int fake_cuda_enqueue(temper::cuda::CStream* stream, void (*work)(void*), void* data);
