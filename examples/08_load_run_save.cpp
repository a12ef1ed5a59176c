// Loads a model file, runs it, saves it under another name, and shows that the copy answers the same.
#include <temper/temper.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

using namespace temper;

int main(int count, char** words) {
  if (count != 3) {
    std::printf("usage: %s MODEL.onnx COPY.onnx\n", words[0]);
    return 2;
  }
  try {
    Network network = Network::open(words[1]);
    std::vector<Tensor> inputs;
    for (auto [name, type] : network.inputs()) {
      for (int axis = 0; axis < type.shape.rank(); ++axis) {
        if (!type.shape[axis].is_static()) type.shape[axis] = 1;  // one sample
      }
      std::printf("input  %s %s\n", name.c_str(), to_string(type).c_str());
      inputs.emplace_back(type);  // zeros
    }
    const Tensor scores = network.run(inputs)[0];

    network.save(words[2]);
    const Tensor again = Network::open(words[2]).run(inputs)[0];
    float apart = 0;
    for (size_t i = 0; i < scores.values<float>().size(); ++i)
      apart = std::max(apart, std::fabs(scores.values<float>()[i] - again.values<float>()[i]));
    std::printf("output %s; the copy differs by %g at most\n", to_string(scores.type()).c_str(), apart);
    return apart < 1e-5F ? 0 : 1;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
