#include "train/ready_cache.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "data/encode.h"
#include "formats/format.h"
#include "ir/text.h"
#include "nn/layers.h"
#include "support/data.h"
#include "support/temporary_folder.h"
#include "train/predict.h"
#include "train/session.h"
#include "unit/train/run.h"

namespace temper {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ReadyCacheTest : public testing::Test {
 protected:
  void SetUp() override {
    test_device();  // registers it
    setenv("TEMPER_CACHE", cache().c_str(), 1);
    write_model(model(3), file());
    Image picture(12, 10, 3);
    for (size_t i = 0; i < picture.pixels.size(); ++i) picture.pixels[i] = static_cast<uint8_t>(i * 7 % 251);
    folder_.write("photo.jpg", encode_jpeg(picture, 90));
  }
  void TearDown() override { unsetenv("TEMPER_CACHE"); }

  // A convolution whose weights no device wants row-major, and a head.
  static Model model(uint64_t seed) {
    Model model;
    Builder b(model.graph);
    const Value x = b.input("input", {DType::f32, {Dim::symbol("N"), 3, 8, 8}});
    nn::Layers layers(model, seed);
    Value y = layers.activation("relu", layers.conv("conv", x, {.channels = 32, .padding = 1}), "relu");
    y = layers.conv("wide", y, {.channels = 64, .padding = 1});
    layers.builder().output("output", layers.dense("fc", layers.global_avg_pool("gap", y), 4));
    model.preprocess = parse_preprocess("size:8x8,unit", 8, 8);
    model.labels = {"a", "b", "c", "d"};
    return model;
  }

  std::string file() const { return (folder_.path() / "model.onnx").string(); }
  std::string photo() const { return (folder_.path() / "photo.jpg").string(); }
  fs::path cache() const { return folder_.path() / "cache"; }
  std::vector<fs::path> kept() const {
    std::vector<fs::path> files;
    std::error_code absent;
    for (const auto& entry : fs::directory_iterator(cache() / "programs", absent))
      files.push_back(entry.path());
    return files;
  }

  // The scores of the photo from a start of its own, and what it said.
  std::vector<double> start(std::vector<std::string>* said = nullptr) const {
    KeptEvents events;
    PredictOptions options;
    options.model = file();
    options.batch = 1;
    Predictor predictor(options, events);
    const Prediction prediction = predictor.predict(std::vector{photo()}).front();
    predictor.keep();
    if (said) *said = events.notes;
    std::vector<double> scores(prediction.top.size());
    for (const Score& score : prediction.top) scores[static_cast<size_t>(score.index)] = score.score;
    EXPECT_EQ(prediction.top.front().label, std::string(1, "abcd"[prediction.top.front().index]));
    return scores;
  }

  TemporaryFolder folder_;
};

// A program over a file, with one parameter on the device.
ReadyProgram some_program() {
  Model model;
  Builder b(model.graph);
  const Value x = b.input("x", {DType::f32, {2, 100}});
  nn::Layers layers(model, 7);
  layers.builder().output("y", layers.dense("fc", x, 48));
  DeviceState state(test_device());
  for (const auto& [name, tensor] : model.parameters) state.set(name, tensor);
  BoundProgram program(state, model.graph, {.sole_reader = true});
  program.run();
  ReadyProgram ready{program.program(), {}, {}, {"a note"}};
  for (const auto& [name, tensor] : model.parameters) ready.parameters.emplace(name, state.at(name));
  ready.about.labels = {"first", "second"};
  return ready;
}

TEST_F(ReadyCacheTest, GivesBackWhatWasKept) {
  const ReadyProgram kept = some_program();
  ReadyCache(test_device(), file(), "how").keep(kept);
  const std::optional<ReadyProgram> found = ReadyCache(test_device(), file(), "how").find();
  ASSERT_TRUE(found);
  EXPECT_EQ(print(found->program.graph), print(kept.program.graph));
  ASSERT_EQ(found->program.inputs.size(), kept.program.inputs.size());
  for (size_t i = 0; i < kept.program.inputs.size(); ++i)
    EXPECT_EQ(found->program.inputs[i].layout, kept.program.inputs[i].layout);
  EXPECT_EQ(found->program.memory, kept.program.memory);
  EXPECT_EQ(found->program.options, kept.program.options);
  EXPECT_THAT(found->about.labels, ElementsAre("first", "second"));
  EXPECT_THAT(found->notes, ElementsAre("a note"));
  ASSERT_EQ(found->parameters.size(), 2u);
  for (const auto& [name, tensor] : found->parameters) {
    const Tensor& before = kept.parameters.at(name);
    ASSERT_EQ(tensor.type(), before.type());
    EXPECT_EQ(std::memcmp(tensor.data(), before.data(), static_cast<size_t>(tensor.bytes())), 0) << name;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.data()) % 64, 0u);
    EXPECT_TRUE(tensor.storage()->read_only);
  }
}

TEST_F(ReadyCacheTest, IsOfOneFileAndOneWayToRunIt) {
  ReadyCache(test_device(), file(), "how").keep(some_program());
  EXPECT_TRUE(ReadyCache(test_device(), file(), "how").find());
  EXPECT_FALSE(ReadyCache(test_device(), file(), "other").find());
  const std::string copy = (folder_.path() / "copy.onnx").string();
  fs::copy_file(file(), copy);
  EXPECT_FALSE(ReadyCache(test_device(), copy, "how").find());
  EXPECT_FALSE(ReadyCache(test_device(), folder_.path().string(), "how").find()) << "a folder is no file";
  const std::string old = in_repository("LICENSE").string();  // known by its times alone
  ReadyCache(test_device(), old, "how").keep(some_program());
  EXPECT_TRUE(ReadyCache(test_device(), old, "how").find());
}

TEST_F(ReadyCacheTest, AChangedFileIsAnotherOne) {
  ReadyCache before(test_device(), file(), "how");
  before.keep(some_program());
  const auto time = fs::last_write_time(file());
  {
    std::fstream model(file(), std::ios::in | std::ios::out | std::ios::binary);
    model.seekp(-1, std::ios::end);
    model.put('\x55');
  }
  fs::last_write_time(file(), time);  // same size, same time
  EXPECT_FALSE(ReadyCache(test_device(), file(), "how").find());
  fs::remove(kept().front());
  before.keep(some_program());  // of what the file held
  EXPECT_THAT(kept(), IsEmpty());
}

TEST_F(ReadyCacheTest, AFileThatWasOnlyTouchedIsTheSame) {
  ReadyCache(test_device(), file(), "how").keep(some_program());
  fs::last_write_time(file(), fs::file_time_type::clock::now() - std::chrono::hours(5));
  EXPECT_TRUE(ReadyCache(test_device(), file(), "how").find());
}

TEST_F(ReadyCacheTest, ASecondStartGivesTheSameBits) {
  const std::vector<double> first = start();
  ASSERT_EQ(kept().size(), 1u);
  std::vector<std::string> said;
  EXPECT_EQ(start(&said), first);
  EXPECT_THAT(said, IsEmpty());
  setenv("TEMPER_CACHE", "off", 1);
  EXPECT_EQ(start(), first);
}

TEST_F(ReadyCacheTest, AnotherModelUnderTheSameNameIsReadAnew) {
  const std::vector<double> first = start();
  write_model(model(4), file());
  const std::vector<double> second = start();
  EXPECT_NE(second, first);
  EXPECT_EQ(start(), second);
  setenv("TEMPER_CACHE", "off", 1);
  EXPECT_EQ(start(), second);
}

TEST_F(ReadyCacheTest, DamageIsNoticedAndMended) {
  const std::vector<double> first = start();
  const auto damage = [&](const std::function<void(const std::string&)>& how) {
    how(kept().front().string());
    std::vector<std::string> said;
    EXPECT_EQ(start(&said), first);
    EXPECT_THAT(said, ElementsAre(HasSubstr("a kept program is damaged and made again")));
    EXPECT_EQ(start(&said), first);
    EXPECT_THAT(said, IsEmpty()) << "it was written again";
  };
  damage([](const std::string& file) { fs::resize_file(file, fs::file_size(file) - 100); });
  damage([](const std::string& file) { fs::resize_file(file, 5); });
  damage([](const std::string& file) {  // a weight
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(-3000, std::ios::end);
    stream.put('\x11').put('\x22');
  });
  damage([](const std::string& file) {  // the graph
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    std::string text(fs::file_size(file), ' ');
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    stream.seekp(static_cast<std::streamoff>(text.find("conv2d")));
    stream.put('d');
  });
}

TEST_F(ReadyCacheTest, APlaceThatCannotBeWrittenIsNoError) {
  std::ofstream(cache()) << "a file, where the folder should be";
  const std::vector<double> first = start();
  EXPECT_EQ(start(), first);
  EXPECT_THAT(kept(), IsEmpty());
}

}  // namespace
}  // namespace temper
