#pragma once
// Runs graphs on the processor and checks them against the reference.
#include <gtest/gtest.h>

#include <vector>

#include "devices/cpu/cpu.h"
#include "ir/builder.h"

namespace temper {

inline Device& processor() {
  register_device(cpu::cpu_device());
  return open_device("cpu");
}

// Values that look random and are the same everywhere, in [-1, 1).
Tensor filled(const Type& type, uint64_t seed);

std::unique_ptr<Executable> load(const Graph& graph, const CompileOptions& options = {});
std::vector<Tensor> run(const Executable& executable, std::span<const Tensor> inputs);
std::vector<Tensor> run(const Graph& graph, std::span<const Tensor> inputs,
                        const CompileOptions& options = {});

void expect_close(const std::vector<Tensor>& found, const std::vector<Tensor>& expected, double tolerance);
void expect_same_bits(const std::vector<Tensor>& found, const std::vector<Tensor>& expected);

}  // namespace temper
