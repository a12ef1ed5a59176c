#pragma once
// What one kind of device does its own way.
#include <memory>

#include "codegen/dialect.h"
#include "codegen/node_text.h"
#include "target/target.h"

namespace temper::launches {

// Nodes that a library of the device's computes at once. A vendor derives what the call needs to know.
struct LibraryCall {
  virtual ~LibraryCall() = default;
  Cluster cluster;
  std::vector<Value> inputs, outputs;  // in the order in which the call takes them
};

struct Vendor {
  std::string_view target;  // "opencl"
  const Dialect* dialect;
  // Kernels of a node that no tape holds; as node_kernels.
  std::vector<KernelStep> (*kernels_of)(const TargetFacts&, const Graph&, const Node&);
  // What goes to a library; no node twice. Null: nothing does.
  std::vector<std::shared_ptr<const LibraryCall>> (*library_calls)(const TargetFacts&,
                                                                   const Graph&) = nullptr;
  // The most operands of a kernel, each a memory and an offset. Null: any number.
  size_t (*max_operands)(const TargetFacts&) = nullptr;
};

}  // namespace temper::launches
