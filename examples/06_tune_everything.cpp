// The network of example 05, tuned whole: the run's folder goes in, every layer trains, at a small learning
// rate.
#include <temper/temper.h>

#include <cstdio>

using namespace temper;

int main(int count, char** words) {
  if (count < 4) {
    std::printf("usage: %s RUN_FOLDER PHOTO_FOLDER OUT_FOLDER [EPOCHS]\n", words[0]);
    return 2;
  }
  try {
    const std::string result = tune(
        {{"model", words[1]},
         {"data", words[2]},
         {"trainable", "all"},
         {"lr", "1e-4"},
         {"augment", "flip"},
         {"epochs", count > 4 ? words[4] : "3"},
         {"out", words[3]},
         {"overwrite", "true"}},
        [](std::string_view line) { std::printf("%.*s\n", static_cast<int>(line.size()), line.data()); });
    std::printf("%s\n", result.c_str());
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
