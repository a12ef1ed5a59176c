// Two classes, one sigmoid: points inside a ring or outside, learnt by a small perceptron with binary
// cross-entropy.
#include <temper/temper.h>

#include <cmath>
#include <cstdio>

using namespace temper;

int main() {
  // A grid over [-1, 1]^2; inside means within 0.7 of the origin.
  std::vector<float> points, inside;
  for (int i = 0; i < 24; ++i) {
    for (int j = 0; j < 24; ++j) {
      const float x = static_cast<float>(i) / 11.5F - 1, y = static_cast<float>(j) / 11.5F - 1;
      points.insert(points.end(), {x, y});
      inside.push_back(x * x + y * y < 0.49F ? 1 : 0);
    }
  }
  const auto samples = static_cast<int64_t>(inside.size());
  const Tensor inputs = Tensor::from<float>({samples, 2}, points),
               truth = Tensor::from<float>({samples, 1}, inside);

  Network network = Network::open("mlp:2-32-1", {.seed = 1});
  Training training(network, {.loss = "bce", .optimizer = "adam", .lr = 1e-2});
  for (int step = 0; step < 600; ++step) {
    const double loss = training.step(inputs, truth);
    if (step % 100 == 0) std::printf("step %3d  loss %.4f\n", step, loss);
  }
  training.finish();

  const Tensor logits = network.run({inputs})[0];
  int right = 0;
  for (size_t i = 0; i < inside.size(); ++i) {
    const float probability =
        1 / (1 + std::exp(-logits.values<float>()[i]));  // the sigmoid that the loss implies
    right += (probability > 0.5F) == (inside[i] > 0.5F);
  }
  const double accuracy = static_cast<double>(right) / static_cast<double>(samples);
  std::printf("accuracy %.3f\n", accuracy);
  return accuracy > 0.97 ? 0 : 1;
}
