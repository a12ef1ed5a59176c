// Loads an ONNX file, runs it, saves it again, and shows that the copy answers the same.
#include <temper/temper.h>

#include <algorithm>
#include <cstdio>

using namespace temper;

int main(int count, char** words) {
  if (count != 3) {
    std::printf("usage: %s MODEL.onnx COPY.onnx\n", words[0]);
    return 2;
  }
  try {
    register_devices();
    Device& device = open_device("cpu");
    const Model model = read_model(words[1]);
    Inference inference(device, model, {});

    // A gray picture for every input, one sample.
    std::vector<Tensor> inputs;
    for (const Port& port : inference.inputs()) {
      Shape shape = inference.graph().type(port.value).shape;
      for (int axis = 0; axis < shape.rank(); ++axis) {
        if (!shape[axis].is_static()) shape[axis] = 1;
      }
      inputs.emplace_back(Type{inference.graph().type(port.value).dtype, shape});
      std::printf("input  %s %s\n", port.name.c_str(), to_string(inputs.back().type()).c_str());
    }
    const Tensor scores = inference.run(inputs)[0];

    write_model(model, words[2]);
    const Model copy = read_model(words[2]);
    const Tensor again = Inference(device, copy, {}).run(inputs)[0];

    float apart = 0;
    for (int64_t i = 0; i < scores.elements(); ++i)
      apart = std::max(apart, std::abs(scores.values<float>()[i] - again.values<float>()[i]));
    std::printf("output %s, the copy differs by %g at most\n", to_string(scores.type()).c_str(), apart);
    return apart < 1e-5F ? 0 : 1;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
