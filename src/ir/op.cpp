#include "ir/op.h"

namespace temper {

void InferContext::fail(std::string_view what) const {
  throw Error(ErrorKind::invalid, concat(op.name, ": ", what));
}

static std::vector<Type> infer_input(const InferContext& c) {
  return {{c.attributes.get<DType>("dtype"), c.attributes.get<Shape>("shape")}};
}

static std::vector<Type> infer_constant(const InferContext& c) {
  return {c.attributes.get<Tensor>("value").type()};
}

const Op input_op{.name = "input",
                  .summary = "a value that the caller gives",
                  .infer = infer_input,
                  .no_gradient = "it has no inputs"};

const Op constant_op{.name = "constant",
                     .summary = "the tensor `value`",
                     .infer = infer_constant,
                     .no_gradient = "it has no inputs"};

}  // namespace temper
