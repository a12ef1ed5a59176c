#pragma once
// Where integers pay: contractions with fixed weights, and the values between them.
#include <map>
#include <optional>
#include <set>

#include "model/model.h"

namespace temper {

struct Site {
  Value x, weights, bias;    // bias: a vector of one number per output channel, or none
  int64_t channel_axis = 0;  // of the weights
};

struct Sites {
  std::map<int, Site> contractions;  // by node: conv2d, dot_general
  std::map<int, int> biases;         // by node that spreads a bias: the contraction it is added to
  std::set<Value> values;            // what becomes integers
  std::map<Value, Value> shared;     // values that share their scale with another: a maximum, a concatenation
};

// `model` in inference form: batch norms folded, weights computed.
Sites find_sites(const Model& model);

// A parameter's or constant's tensor; null if `value` is something else.
const Tensor* fixed_tensor(const Model& model, Value value);

}  // namespace temper
