#pragma once
// Follows as oneDNN post-ops, and where things stand in the buffers of a launch.
#include "devices/cpu/follows.h"
#include "devices/cpu/onednn.h"

namespace temper::cpu {

int position(std::span<const Value> values, Value value);

// Buffer numbers of a launch: inputs, then outputs, then scratch.
struct Slots {
  explicit Slots(const KernelRequest& request)
      : output(static_cast<int>(request.inputs.size())),
        scratch(output + static_cast<int>(request.outputs.size())) {}
  int output, scratch;
};

// Gives `attributes` the follows; returns the arguments they read, which lie as the result does.
std::vector<Binding> bind_follows(dnnl::primitive_attr& attributes, std::span<const Follow> follows,
                                  const Descriptor& result, const KernelRequest& request);

}  // namespace temper::cpu
