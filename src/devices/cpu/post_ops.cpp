#include "devices/cpu/post_ops.h"

#include <algorithm>

#include "base/check.h"

namespace temper::cpu {

int position(std::span<const Value> values, Value value) {
  const auto found = std::find(values.begin(), values.end(), value);
  TEMPER_CHECK(found != values.end());
  return static_cast<int>(found - values.begin());
}

namespace {

void append(dnnl::post_ops& posts, const Follow& follow) {
  using dnnl::algorithm;
  switch (follow.kind) {
    case Follow::linear:
      return posts.append_eltwise(algorithm::eltwise_linear, follow.a, follow.b);
    case Follow::relu:
      return posts.append_eltwise(algorithm::eltwise_relu, 0, 0);
    case Follow::round:
      posts.append_eltwise(algorithm::eltwise_round, 0, 0);
      [[fallthrough]];
    case Follow::clip:
      return posts.append_eltwise(algorithm::eltwise_clip_v2, follow.a, follow.b);
    case Follow::sigmoid:
      return posts.append_eltwise(algorithm::eltwise_logistic, 0, 0);
    case Follow::tanh:
      return posts.append_eltwise(algorithm::eltwise_tanh, 0, 0);
    case Follow::gelu:
      return posts.append_eltwise(algorithm::eltwise_gelu_erf, 0, 0);
    case Follow::gelu_tanh:
      return posts.append_eltwise(algorithm::eltwise_gelu_tanh, 0, 0);
    case Follow::add:
      TEMPER_CHECK(false, "a sum has an operand");
  }
}

}  // namespace

std::vector<Binding> bind_follows(dnnl::primitive_attr& attributes, std::span<const Follow> follows,
                                  const Descriptor& result, const KernelRequest& request) {
  std::vector<Binding> bindings;
  dnnl::post_ops posts;
  for (const Follow& follow : follows) {
    if (follow.kind != Follow::add) {
      append(posts, follow);
      continue;
    }
    const auto type = *data_type(request.graph.type(follow.operand).dtype);
    const Descriptor other(result.get_dims(), type, result.get_strides());
    bindings.push_back({DNNL_ARG_ATTR_MULTIPLE_POST_OP(posts.len()) | DNNL_ARG_SRC_1, other,
                        position(request.inputs, follow.operand)});
    posts.append_binary(dnnl::algorithm::binary_add, other);
  }
  attributes.set_post_ops(posts);
  return bindings;
}

}  // namespace temper::cpu
