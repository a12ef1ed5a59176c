// Statistics of batch norms where they are hard to get.
#include <algorithm>
#include <cmath>

#include "ops/composites.h"
#include "ops/primitives.h"
#include "run.h"

namespace temper {

namespace {

// Numbers within 1 of `centre`, with one outlier among the first.
Tensor pictures(double centre) {
  Tensor x = filled({DType::f32, {8, 16, 20, 20}}, 1);
  for (float& value : x.mutable_values<float>()) value += static_cast<float>(centre);
  x.mutable_values<float>()[3] += 100;
  return x;
}

// Through a convolution that changes nothing pictures come with their channels last, else as planes.
Graph statistics(bool channels_last) {
  Graph graph;
  Builder b(graph);
  Value x = b.input("x", {DType::f32, {8, 16, 20, 20}});
  if (channels_last) {
    std::vector<double> identity(16 * 16);
    for (size_t i = 0; i < 16; ++i) identity[i * 17] = 1;
    x = ops::conv2d(b, x, b.constant(from_doubles({DType::f32, {16, 16, 1, 1}}, identity)), {}, {});
  }
  const Tensor ones = from_doubles({DType::f32, {16}}, std::vector<double>(16, 1));
  const auto norm = ops::batch_norm_train(b, x, b.constant(ones), b.constant(ones), 1e-5);
  b.output("y", norm.y);
  b.output("mean", norm.mean);
  b.output("variance", norm.variance);
  return graph;
}

TEST(BatchNorm, AVarianceFarFromZeroIsThatOfItsChannel) {
  constexpr size_t kPlaces = 20 * 20;
  for (const double centre : {0.0, 1000.0, -30000.0})
    for (const bool channels_last : {false, true}) {
      SCOPED_TRACE(testing::Message()
                   << "around " << centre << (channels_last ? ", channels last" : ", planes"));
      const Tensor x = pictures(centre);
      const std::vector<Tensor> found = run(statistics(channels_last), {{x}});
      const auto values = x.values<float>();
      for (size_t c = 0; c < 16; ++c) {
        double sum = 0, squares = 0;
        const auto each = [&](auto body) {
          for (size_t n = 0; n < 8; ++n)
            for (size_t i = 0; i < kPlaces; ++i)
              body(static_cast<double>(values[(n * 16 + c) * kPlaces + i]));
        };
        each([&](double value) { sum += value; });
        const double mean = sum / (8 * kPlaces);
        each([&](double value) { squares += (value - mean) * (value - mean); });
        const double variance = squares / (8 * kPlaces);
        EXPECT_NEAR(to_doubles(found[1])[c], mean, 1e-6 * std::max(1.0, std::abs(centre))) << c;
        EXPECT_NEAR(to_doubles(found[2])[c], variance, 1e-4 * variance) << c;
      }
    }
}

}  // namespace

}  // namespace temper
