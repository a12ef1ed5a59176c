#pragma once
// New heads on old models: the language of --head, the place where it is attached, and the surgery.
#include <string>
#include <string_view>
#include <vector>

#include "model/model.h"

namespace temper::nn {

struct HeadStep {
  enum Kind { gap, gmp, flatten, dense, dropout, bn } kind;
  int64_t units = 0;       // dense; 0: one per class
  std::string activation;  // dense: relu, gelu, tanh or empty
  double rate = 0;         // dropout
  friend bool operator==(const HeadStep&, const HeadStep&) = default;
};

// "gap,dense:1024:relu,dense": steps gap, gmp, flatten, dense[:N][:relu|gelu|tanh], dropout:P, bn.
// Error invalid names the step and what it may be.
std::vector<HeadStep> parse_head(std::string_view text);

struct Cut {
  Value value;       // of the model's graph; what is computed after it goes
  std::string name;  // for people
};

// By the name of a node, a graph input or an output. Error not_found suggests one.
Cut find_cut(const Model& model, std::string_view name);
// Without a name: what the last global pooling reads, else the last spatial map [n, c, h, w], else what the
// last dense layer reads. Error invalid if the model has none.
Cut default_cut(const Model& model);

struct NewHead {
  std::string steps;                    // "gap,dense"
  std::vector<std::string> parameters;  // new ones
  std::vector<std::string> dropped;     // old parameters that nothing reads any more
  Shape shape;                          // of a sample at the cut
};

// The model's first output becomes steps(cut); other outputs, and what only they read, are dropped.
// Error invalid if a step does not fit the shape before it, or the last one does not give one unit per class.
NewHead attach_head(Model& model, const Cut& cut, const std::vector<HeadStep>& steps, int64_t classes,
                    uint64_t seed);

// The last dense layer (or convolution that ends in the classes) is replaced by one for `classes`.
NewHead replace_last_dense(Model& model, int64_t classes, uint64_t seed);

}  // namespace temper::nn
