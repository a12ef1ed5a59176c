#include "nn/bert.h"

#include <array>
#include <cmath>
#include <limits>

#include "base/text.h"
#include "ops/composites.h"
#include "ops/primitives.h"

namespace temper::nn {
namespace {

constexpr int64_t kVocabulary = 30522, kPositions = 512, kTypes = 2, kClasses = 2, kWider = 4;
constexpr double kEpsilon = 1e-12;
const Initial kWeight{Initial::normal, 0.02}, kZero{Initial::constant, 0};

class Bert {
 public:
  Bert(Layers& layers, const BertSizes& sizes) : layers_(layers), b_(layers.builder()), sizes_(sizes) {}

  void build() {
    const Value ids = ids_input("input_ids");
    if (sizes_.masked) mask_ = hidden_scores(ids_input("attention_mask"));
    const Value types = sizes_.masked ? ids_input("token_type_ids") : Value{};
    Value x = embeddings(ids, types);
    for (int64_t i = 0; i < sizes_.layers; ++i) x = layer(concat("bert.encoder.layer.", i, "."), x);
    x = dense("bert.pooler.dense", first_token(x), sizes_.width);
    x = layers_.activation("bert.pooler.activation", x, "tanh");
    b_.output("output", dense("classifier", x, kClasses));
  }

 private:
  Value ids_input(const std::string& name) {
    return b_.input(name, {DType::i64, {Dim::symbol("N"), Dim::symbol("S")}});
  }

  // What is added to the scores of a token: 0, or so little that its exponential vanishes. [N, 1, 1, S]
  Value hidden_scores(Value mask) {
    b_.set_default_name("bert.mask");
    const Value hidden = ops::sub(b_, b_.scalar(DType::f32, 1), ops::convert(b_, mask, DType::f32));
    const double least = std::numeric_limits<float>::lowest();
    const Shape shape = b_.shape(mask);
    return ops::reshape(b_, ops::mul(b_, hidden, least), {shape[0], 1, 1, shape[1]});
  }

  Value embeddings(Value ids, Value types) {
    const std::string name = "bert.embeddings.";
    const int64_t width = sizes_.width;
    const Value words = layers_.embedding(name + "word_embeddings", ids, kVocabulary, width, kWeight);
    const Value places = ops::iota(b_, DType::i64, {b_.shape(ids)[1]}, 0);
    const Value positions =
        layers_.embedding(name + "position_embeddings", places, kPositions, width, kWeight);
    const Value of_type =
        types ? layers_.embedding(name + "token_type_embeddings", types, kTypes, width, kWeight)
              : first_type(name + "token_type_embeddings");
    b_.set_default_name(name + "add");
    const Value sum = ops::add(b_, ops::add(b_, words, of_type), positions);
    return layers_.layer_norm(name + "LayerNorm", sum, kEpsilon);
  }

  Value first_type(const std::string& name) {
    const Value table = layers_.parameter(name + ".weight", {DType::f32, {kTypes, sizes_.width}}, kWeight);
    b_.set_default_name(name);
    return ops::reshape(b_, ops::slice(b_, table, {0, 0}, {1, ops::kEnd}, {1, 1}), {sizes_.width});
  }

  // x: [N, S, width]; norms follow the sums.
  Value layer(const std::string& name, Value x) {
    Value y = dense(name + "attention.output.dense", attention(name + "attention.self", x), sizes_.width);
    x = layers_.layer_norm(name + "attention.output.LayerNorm", sum(name + "attention.output", y, x),
                           kEpsilon);
    y = dense(name + "intermediate.dense", x, kWider * sizes_.width);
    y = layers_.activation(name + "intermediate.activation", y, "gelu");
    y = dense(name + "output.dense", y, sizes_.width);
    return layers_.layer_norm(name + "output.LayerNorm", sum(name + "output", y, x), kEpsilon);
  }

  Value attention(const std::string& name, Value x) {
    const Value query = heads(name + ".query", x, {0, 2, 1, 3}), key = heads(name + ".key", x, {0, 2, 3, 1}),
                value = heads(name + ".value", x, {0, 2, 1, 3});
    b_.set_default_name(name);
    const int64_t features = sizes_.width / sizes_.heads;
    const double scale = 1 / std::sqrt(static_cast<double>(features));
    Value scores = ops::mul(b_, ops::matmul(b_, query, key), scale);  // [N, heads, S, S]
    if (mask_) scores = ops::add(b_, scores, mask_);
    const Value context = ops::matmul(b_, ops::softmax(b_, scores, 3), value);
    return ops::reshape(b_, ops::transpose(b_, context, {0, 2, 1, 3}), b_.shape(x));
  }

  // A dense layer's features [N, S, width] as [N, S, heads, width / heads], its axes in the given order.
  Value heads(const std::string& name, Value x, const Ints& order) {
    const Shape shape = b_.shape(x);
    const Value y = dense(name, x, sizes_.width);
    const Shape split{shape[0], shape[1], sizes_.heads, sizes_.width / sizes_.heads};
    return ops::transpose(b_, ops::reshape(b_, y, split), order);
  }

  Value first_token(Value x) {
    b_.set_default_name("bert.pooler");
    return ops::take(b_, x, b_.constant(Tensor::scalar<int64_t>(0)), 1);
  }

  Value dense(const std::string& name, Value x, int64_t units) {
    return layers_.dense(name, x, units, kWeight, kZero);
  }

  Value sum(const std::string& name, Value x, Value y) {
    b_.set_default_name(name + ".add");
    return ops::add(b_, x, y);
  }

  Layers& layers_;
  Builder& b_;
  BertSizes sizes_;
  Value mask_;
};

}  // namespace

BertSizes parse_bert(std::string_view spec) {
  static constexpr int64_t kMost = int64_t{1} << 16;
  const auto refuse = [&](const auto&... why) {
    throw Error(ErrorKind::invalid, concat("model ", spec, ": ", why...));
  };
  std::vector<std::string_view> parts = split(spec, ':');  // bert, sizes[, masked]
  if (parts.size() == 3 && parts[2] != "masked")
    refuse("expected nothing or masked at its end, found \"", parts[2], "\"");
  const std::vector<std::string_view> words = split(parts[1], '-');
  std::array<int64_t, 3> sizes{};
  if (parts.size() > 3 || words.size() != sizes.size())
    refuse("expected layers, width and heads as in bert:12-768-12");
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (!parse_number(words[i], sizes[i]) || sizes[i] < 1 || sizes[i] > kMost)
      refuse("expected sizes from 1 to ", kMost, " as in bert:12-768-12, found \"", words[i], "\"");
  }
  const auto [layers, width, heads] = sizes;
  if (width % heads != 0) refuse("the width ", width, " is no multiple of ", heads, " heads");
  return {layers, width, heads, parts.size() == 3};
}

void build_bert(Layers& layers, const BertSizes& sizes) { Bert(layers, sizes).build(); }

}  // namespace temper::nn
