#include "launches/target.h"

#include "devices/opencl/opencl.h"
#include "devices/opencl/products.h"

namespace temper::opencl {

// OpenCL promises 1024 bytes.
static size_t max_operands(const TargetFacts& facts) {
  int64_t operands = 64;
  if (const auto found = facts.facts.find("operands"); found != facts.facts.end())
    parse_number(found->second, operands);
  return static_cast<size_t>(operands);
}

const launches::Vendor& opencl_vendor() {
  static const launches::Vendor vendor{
      .target = "opencl", .dialect = &opencl_c(), .kernels_of = kernels_of, .max_operands = max_operands};
  return vendor;
}

const Target& opencl_target() {
  static const Target target{
      .name = "opencl",
      .claim = launches::claim,
      .compile = [](const TargetFacts& facts, const Graph& graph, const CompileOptions& options) {
        return launches::compile(opencl_vendor(), facts, graph, options);
      }};
  return target;
}

}  // namespace temper::opencl
