#include "place/shared_inference.h"

#include <gtest/gtest.h>

#include <cstring>

#include "devices/cpu/cpu.h"
#include "ir/builder.h"
#include "nn/layers.h"
#include "ops/composites.h"
#include "ops/primitives.h"
#include "runtime/registry.h"
#include "support/expect_error.h"
#include "support/wave.h"

namespace temper {
namespace {

Device& processor() {
  register_device(cpu::cpu_device());
  return open_device("cpu");
}

// x[N, 6] -> dense 4, and the same as 2 N rows of 2.
Model small_model() {
  Model model;
  Builder b(model.graph);
  nn::Layers layers(model, 1);
  const Value x = b.input("x", {DType::f32, {Dim::symbol("N"), 6}});
  const Value y = layers.dense("fc", x, 4);
  layers.builder().output("y", y);
  layers.builder().output("halves", ops::reshape(layers.builder(), y, Shape{Dim(2, "N"), 2}));
  return model;
}

// Two at once on one device: each has a program of its own.
TEST(SharedInference, GivesWhatOneGives) {
  const Model model = small_model();
  Inference one(processor(), model, {}), other(processor(), model, {});
  Inference* const both[] = {&one, &other};
  for (const int64_t samples : {1, 2, 7, 300}) {
    const Tensor x = wave({DType::f32, {samples, 6}}, 1);
    const std::vector<Tensor> alone = one.run({&x, 1}), shared = run_shared(both, {&x, 1});
    ASSERT_EQ(shared.size(), 2);
    for (size_t i = 0; i < 2; ++i) {
      ASSERT_EQ(shared[i].type(), alone[i].type());
      const std::vector<double> a = to_doubles(alone[i]), b = to_doubles(shared[i]);
      for (size_t k = 0; k < a.size(); ++k) ASSERT_NEAR(a[k], b[k], 1e-6) << samples << " " << i << " " << k;
    }
  }
}

TEST(SharedInference, RefusesWhatMixesSamples) {
  const auto refused = [](const Model& model, const std::string& why) {
    Inference one(processor(), model, {}), other(processor(), model, {});
    Inference* const both[] = {&one, &other};
    const Tensor x = wave({DType::f32, {4, 6}}, 1);
    expect_error(ErrorKind::invalid, why, [&] { run_shared(both, {&x, 1}); });
  };
  Model mean;
  {
    Builder b(mean.graph);
    const Value x = b.input("x", {DType::f32, {Dim::symbol("N"), 6}});
    b.output("y", ops::sub(b, x, ops::broadcast_in_dim(b, ops::reduce_max(b, x, {0}), b.shape(x), {1})));
  }
  refused(mean, "samples cannot be shared out: ");
  Model fixed;
  {
    Builder b(fixed.graph);
    b.output("y", ops::exp(b, b.input("x", {DType::f32, {4, 6}})));
  }
  refused(fixed, "input x is f32[4, 6]");
}

}  // namespace
}  // namespace temper
