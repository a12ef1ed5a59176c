// Transfer learning: a pre-trained network is frozen; pooling, a dense layer of 1024 and a softmax learn new
// classes.
#include <temper/temper.h>

#include <cstdio>

using namespace temper;

int main(int count, char** words) {
  if (count < 4) {
    std::printf("usage: %s MODEL.onnx PHOTO_FOLDER OUT_FOLDER [EPOCHS]\n", words[0]);
    return 2;
  }
  try {
    const std::string result = tune(
        {{"model", words[1]},
         {"preprocess", "tf"},
         {"data", words[2]},
         {"head", "gap,dense:1024:relu,dense"},
         {"trainable", "head"},
         {"epochs", count > 4 ? words[4] : "10"},
         {"out", words[3]},
         {"overwrite", "true"}},
        [](std::string_view line) { std::printf("%.*s\n", static_cast<int>(line.size()), line.data()); });
    std::printf("%s\n", result.c_str());
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
