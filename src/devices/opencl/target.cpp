#include "launches/target.h"

#include "devices/opencl/opencl.h"
#include "devices/opencl/products.h"

namespace temper::opencl {

const launches::Vendor& opencl_vendor() {
  static const launches::Vendor vendor{.target = "opencl", .dialect = &opencl_c(), .kernels_of = kernels_of};
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
