#include "launches/target.h"

#include "devices/cuda/cuda.h"
#include "devices/cuda/products.h"

namespace temper::cuda {

// Of 16 bytes each, in the 4096 that every GPU takes.
static size_t max_operands(const TargetFacts&) { return 256; }

static Claim claim(const TargetFacts& facts, const Graph& graph, const Node& node) {
  Claim claim = launches::claim(facts, graph, node);
  if (claim.kind == Claim::kernel && goes_to_library(facts, graph, node)) claim.why = "cuBLASLt";
  return claim;
}

const launches::Vendor& cuda_vendor() {
  static const launches::Vendor vendor{.target = "cuda",
                                       .dialect = &cuda_c(),
                                       .kernels_of = kernels_of,
                                       .library_calls = library_products,
                                       .max_operands = max_operands};
  return vendor;
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
