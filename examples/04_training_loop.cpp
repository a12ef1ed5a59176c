// A convolutional network and a training loop written by hand: batches, steps, a progress bar, a report by
// class.
#include <temper/temper.h>

#include <cstdio>
#include <string>

using namespace temper;

static void show_bar(int epoch, int64_t done, int64_t total, double loss) {
  const auto filled = static_cast<size_t>(30 * done / total);
  std::printf("\repoch %d [%s%s] %lld/%lld  loss %.4f", epoch, std::string(filled, '#').c_str(),
              std::string(30 - filled, '.').c_str(), static_cast<long long>(done),
              static_cast<long long>(total), loss);
  std::fflush(stdout);
}

int main(int count, char** words) {
  if (count < 2) {
    std::printf("usage: %s PHOTO_FOLDER [EPOCHS]   (train/ and test/ with a folder for each class)\n",
                words[0]);
    return 2;
  }
  try {
    const Data train = Data::open(words[1], "train"), test = Data::open(words[1], "test");
    Network network =
        Network::open("cnn", {.preprocess = "size:32x32,unit", .seed = 1});  // 3x32x32, ten classes
    Training training(network, {.optimizer = "adam", .lr = 1e-3});

    const int epochs = count > 2 ? std::stoi(words[2]) : 5;
    for (int epoch = 1; epoch <= epochs; ++epoch) {
      int64_t done = 0;
      train.batches(network, 32, epoch, [&](const Data::Batch& batch) {
        const double loss = training.step(batch.inputs, batch.labels);
        show_bar(epoch, done += batch.inputs.shape().size(0), train.size(), loss);
        return true;
      });
      std::printf("\n");
    }
    training.finish();
    std::printf("%s", classification_report(network, test).text().c_str());
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
