#pragma once
// The part of a model that training does not change: apart, with batch norms folded, computed once per
// sample.
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/model.h"
#include "runtime/device.h"

namespace temper {

// The same function with fewer operations: batch norms that do not train become part of their convolutions,
// and what only frozen parameters decide is computed now; its results are parameters "frozen.0", ... In bf16
// (see lower_precision) these are the rounded weights.
Model fold_frozen(Device& device, const Model& model, const std::set<std::string>& trainable,
                  const CompileOptions& options, DType precision = DType::f32);

// `prefix`: data inputs -> features, no trainable parameter, nothing random. `rest`: features -> the model's
// outputs. No prefix if nothing is worth keeping: no frozen parameter before the first trainable one, or a
// feature whose first axis is not the batch.
struct ModelParts {
  std::optional<Model> prefix;
  Model rest;
};
ModelParts split_model(const Model& folded, const std::set<std::string>& trainable);

// Runs a prefix. Always in batches of one size, the last filled with zeros, so that what a sample gives does
// not depend on how many there are. Not for several threads at once.
class FrozenPrefix {
 public:
  // On all replicas of `device`: `batch` is rounded up to a multiple of them.
  FrozenPrefix(Device& device, const Model& prefix, int64_t batch, const CompileOptions& options);
  ~FrozenPrefix();

  Device& device() const;
  const Type& batch_type() const;  // of the input: of all samples that it computes at once

  // Of one sample, by feature: the batch axis holds the rows of one sample.
  const std::vector<Type>& feature_types() const;
  std::vector<std::string> feature_names() const;

  // inputs: f32[n, ...]; writes rows first ... first + n - 1 of each of `features` ([count, ...], on the
  // host).
  void compute(const Tensor& inputs, std::vector<Tensor>& features, int64_t first);

 private:
  struct Loaded;
  std::unique_ptr<Loaded> loaded_;
};

// What cached features depend on: the prefix with its parameters.
uint64_t fingerprint(const Model& model);

}  // namespace temper
