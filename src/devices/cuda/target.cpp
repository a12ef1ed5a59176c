#include "launches/target.h"

#include "devices/cuda/cuda.h"
#include "devices/cuda/products.h"

namespace temper::cuda {

const launches::Vendor& cuda_vendor() {
  static const launches::Vendor vendor{
      .target = "cuda", .dialect = &cuda_c(), .kernels_of = kernels_of, .library_calls = library_products};
  return vendor;
}

static Claim claim(const TargetFacts& facts, const Graph& graph, const Node& node) {
  Claim claim = launches::claim(facts, graph, node);
  if (claim.kind == Claim::kernel && goes_to_library(facts, graph, node)) claim.why = "cuBLASLt";
  return claim;
}

const Target& cuda_target() {
  static const Target target{
      .name = "cuda",
      .claim = claim,
      .compile = [](const TargetFacts& facts, const Graph& graph, const CompileOptions& options) {
        return launches::compile(cuda_vendor(), facts, graph, options);
      }};
  return target;
}

}  // namespace temper::cuda
