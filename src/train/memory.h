#pragma once
// --memory: what this process may hold, what that leaves to a program, and what is said if it is too little.
#include <functional>
#include <string>

#include "runtime/device.h"

namespace temper {

// What the arguments, results and temporaries of a step may take of `limit` bytes for this process: less what
// is resident once `graph` is compiled, and `held` bytes that will be. 0 if there is no limit (0).
int64_t program_memory(int64_t limit, Device& device, const Graph& graph, const CompileOptions& options,
                       int64_t held = 0);

// "1.2 GB of 2.0 GB allowed; 14 % more arithmetic". `left`: what program_memory said.
std::string memory_text(const Executable& executable, int64_t limit, int64_t left);

// What `launches` repeat, as a share of the rest: floating-point operations and bytes.
struct Repeated {
  int64_t launches = 0;
  double flops = 0, bytes = 0;
};
Repeated repeated(std::span<const LaunchProfile> launches);

// Calls `compile` with a batch and what a program may take; where that refuses, Error exhausted names the
// smallest memory that would do, the largest batch that fits `limit`, and the largest tensors.
using CompileBatch = std::function<void(int64_t batch, int64_t left)>;
void compile_within(int64_t limit, int64_t left, int64_t batch, const CompileBatch& compile);

}  // namespace temper
