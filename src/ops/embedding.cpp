// Rows of a table by number.
#include "ops/composite.h"
#include "ops/composites.h"

namespace temper::ops {

Value embedding(Builder& b, Value table, Value ids) { return b.emit(embedding_op, {table, ids}); }

static std::vector<Type> infer_embedding(const InferContext& context) {
  require_inputs(context, 2, 2);
  require_float(context, 0, "table");
  const Type& table = require_rank(context, 0, "table", 2);
  const Type& ids = require(context, 1, "ids");
  if (ids.dtype != DType::i32 && ids.dtype != DType::i64)
    fail(context, "ids must be i32 or i64, are ", to_string(ids));
  Shape shape = ids.shape;
  shape.push_back(table.shape[1]);
  return {{table.dtype, shape}};
}

static std::vector<Value> decompose_embedding(Builder& b, const NodeView& view) {
  return {take(b, view.inputs[0], view.inputs[1], 0)};
}

static std::vector<Value> vjp_embedding(Builder& b, const VjpContext& context) {
  std::vector<Value> grads(2);
  if (!needed(context, 0)) return grads;
  const Type& table = b.type(context.inputs[0]);
  const int64_t rank = b.shape(context.inputs[1]).rank();
  const ScatterDims dims{.update_window_dims = {rank},
                         .inserted_window_dims = {0},
                         .scatter_dims_to_operand_dims = {0},
                         .index_vector_dim = rank};
  const Value empty = zeros(b, {compute_dtype(table.dtype), table.shape});
  const Value sum = scatter(b, empty, context.inputs[1], widen(b, context.cotangents[0]), dims, "add");
  grads[0] = convert(b, sum, table.dtype);
  return grads;
}

static std::vector<Sample> samples_embedding() {
  const std::vector<Fill> fills{{}, {.kind = Fill::integers, .low = 0, .high = 7}};
  std::vector<Sample> samples{{"one row", {{DType::f32, {7, 4}}, {DType::i64, {}}}, {}, fills},
                              {"i32", {{DType::f32, {7, 4}}, {DType::i32, {5}}}, {}, fills}};
  for (DType dtype : {DType::f32, DType::f16, DType::bf16}) {
    samples.push_back({temper::concat("repeated rows, ", to_string(dtype)),
                       {{dtype, {7, 5}}, {DType::i64, {4, 6}}},
                       {},
                       fills});
  }
  return samples;
}

}  // namespace temper::ops

namespace temper {

const Op embedding_op{.name = "embedding",
                      .primitive = false,
                      .summary = "y[...] = table[ids[...]]",
                      .infer = ops::infer_embedding,
                      .decompose = ops::decompose_embedding,
                      .vjp = ops::vjp_embedding,
                      .samples = ops::samples_embedding};

}  // namespace temper
