// The whole job in one call: a perceptron learns handwritten digits. The folder holds MNIST's IDX files.
#include <temper/temper.h>

#include <cstdio>
#include <string>

using namespace temper;

int main(int count, char** words) {
  if (count < 3) {
    std::printf("usage: %s MNIST_FOLDER OUT_FOLDER [EPOCHS]\n", words[0]);
    return 2;
  }
  try {
    const std::string result = tune(
        {{"model", "mlp:784-128-10"},
         {"data", words[1]},
         {"optimizer", "adam"},
         {"lr", "1e-3"},
         {"batch", "32"},
         {"epochs", count > 3 ? words[3] : "10"},
         {"out", words[2]},
         {"overwrite", "true"}},
        [](std::string_view line) { std::printf("%.*s\n", static_cast<int>(line.size()), line.data()); });
    std::printf("%s\n", result.c_str());
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
