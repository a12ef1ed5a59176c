#include "devices/cpu/post_ops.h"

#include <algorithm>

#include "base/check.h"

namespace temper::cpu {

int position(std::span<const Value> values, Value value) {
  const auto found = std::find(values.begin(), values.end(), value);
  TEMPER_CHECK(found != values.end());
  return static_cast<int>(found - values.begin());
}

dnnl::algorithm curve_of(const PostOp& post) {
  using dnnl::algorithm;
  switch (post.kind) {
    case PostOp::sigmoid:
      return algorithm::eltwise_logistic;
    case PostOp::tanh:
      return algorithm::eltwise_tanh;
    case PostOp::gelu:
      return algorithm::eltwise_gelu_erf;
    case PostOp::gelu_tanh:
      return algorithm::eltwise_gelu_tanh;
    default:
      TEMPER_CHECK(false, "not a curve");
  }
}

std::vector<Binding> bind_posts(dnnl::primitive_attr& attributes, const Fusion& fusion,
                                const Descriptor& result, const KernelRequest& request) {
  using dnnl::algorithm;
  std::vector<Binding> bindings;
  dnnl::post_ops posts;
  for (const PostOp& post : fusion.posts) {
    const int index = posts.len();
    switch (post.kind) {
      case PostOp::relu:
        posts.append_eltwise(algorithm::eltwise_relu, 0, 0);
        break;
      case PostOp::clip:
        posts.append_eltwise(algorithm::eltwise_clip_v2, static_cast<float>(post.low),
                             static_cast<float>(post.high));
        break;
      case PostOp::sigmoid:
      case PostOp::tanh:
      case PostOp::gelu:
      case PostOp::gelu_tanh:
        posts.append_eltwise(curve_of(post), 0, 0);
        break;
      case PostOp::scale:
        posts.append_eltwise(algorithm::eltwise_linear, static_cast<float>(post.factor), 0);
        break;
      case PostOp::round:
        TEMPER_CHECK(false, "integers among floats");
      case PostOp::add:
        posts.append_binary(algorithm::binary_add, result);
        bindings.push_back({DNNL_ARG_ATTR_MULTIPLE_POST_OP(index) | DNNL_ARG_SRC_1, result,
                            position(request.inputs, post.operand)});
    }
  }
  attributes.set_post_ops(posts);
  return bindings;
}

}  // namespace temper::cpu
