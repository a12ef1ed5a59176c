#include "devices/cpu/kernels/request.h"

#include <algorithm>

namespace temper::cpu {

namespace {

class FunctionKernel : public Kernel {
 public:
  FunctionKernel(std::function<void(void* const*)> run, int64_t scratch)
      : run_(std::move(run)), scratch_(scratch) {}
  void run(void* const* buffers, KernelState*) const override { run_(buffers); }
  int64_t scratch_bytes() const override { return scratch_; }

 private:
  std::function<void(void* const*)> run_;
  int64_t scratch_;
};

}  // namespace

std::unique_ptr<Kernel> function_kernel(std::function<void(void* const*)> run, int64_t scratch_bytes) {
  return std::make_unique<FunctionKernel>(std::move(run), scratch_bytes);
}

NodeRequest::NodeRequest(const KernelRequest& request)
    : request_(request), node_(request.graph.nodes()[static_cast<size_t>(request.cluster.nodes.back())]) {}

Operand NodeRequest::input(size_t index) const {
  if (index >= node_.inputs.size() || !node_.inputs[index]) return {};
  const Value value = node_.inputs[index];
  const auto found = std::find(request_.inputs.begin(), request_.inputs.end(), value);
  TEMPER_CHECK(found != request_.inputs.end(), request_.graph.describe(value.node));
  const auto at = found - request_.inputs.begin();
  return {static_cast<int>(at), request_.graph.type(value), request_.input_layouts[static_cast<size_t>(at)]};
}

Operand NodeRequest::output(size_t index) const {
  const Value value{request_.cluster.nodes.back(), static_cast<int32_t>(index)};
  const auto found = std::find(request_.outputs.begin(), request_.outputs.end(), value);
  if (found == request_.outputs.end()) return {-1, request_.graph.type(value), kRowMajor};
  const auto at = found - request_.outputs.begin();
  return {static_cast<int>(request_.inputs.size()) + static_cast<int>(at), request_.graph.type(value),
          request_.output_layouts[static_cast<size_t>(at)]};
}

int NodeRequest::scratch() const {
  return static_cast<int>(request_.inputs.size() + request_.outputs.size());
}

}  // namespace temper::cpu
