#include "data/loader.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <map>
#include <set>

#include "base/file.h"
#include "base/threads.h"
#include "data/pixels.h"
#include "data/resize.h"
#include "data/sources.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "unit/data/pictures.h"

namespace temper {
namespace {

using Order = LoaderOptions::Order;

class LoaderTest : public testing::Test {
 protected:
  LoaderTest() {
    Tensor pixels(Type{DType::u8, {37, 9, 8, 3}});
    const std::span<uint8_t> values = pixels.mutable_values<uint8_t>();
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<uint8_t>(i * i / 7);
    data.source = std::make_shared<PictureArray>("x.npy", pixels);
    for (int64_t i = 0; i < 37; ++i)
      data.rows.push_back(i), data.labels.push_back(i < 30 ? 0 : i < 35 ? 1 : 2);
    data.classes = {"a", "b", "c"};
  }
  ~LoaderTest() override { set_team_size(available_threads()); }

  static std::vector<float> all_values(Loader& loader) {
    std::vector<float> values;
    while (const std::optional<Batch> batch = loader.next()) {
      const auto images = batch->images.values<float>();
      values.insert(values.end(), images.begin(), images.end());
      for (const int64_t index : batch->indices) values.push_back(static_cast<float>(index));
    }
    return values;
  }

  static Preprocess steps(std::string_view text) { return parse_preprocess(text, 0, 0); }

  Dataset data;
};

TEST_F(LoaderTest, BatchesCoverTheSetInOrder) {
  Loader loader(data, steps("unit"), {.batch = 10});
  EXPECT_EQ(to_string(loader.sample_shape()), "[3, 9, 8]");
  EXPECT_EQ(loader.batches(), 4);
  std::vector<int64_t> seen;
  for (const int64_t expected : {10, 10, 10, 7}) {
    const std::optional<Batch> batch = loader.next();
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->images.shape(), (Shape{expected, 3, 9, 8}));
    EXPECT_EQ(batch->weights.values<float>()[0], 1);
    for (size_t i = 0; i < batch->indices.size(); ++i) {
      EXPECT_EQ(batch->labels.values<int64_t>()[i], data.labels[static_cast<size_t>(batch->indices[i])]);
    }
    seen.insert(seen.end(), batch->indices.begin(), batch->indices.end());
    std::vector<float> expected_image(3 * 9 * 8);
    PixelValues(steps("unit"), 3)(data.source->picture(batch->indices[1], 3, 0).pixels, expected_image);
    const auto images = batch->images.values<float>();
    EXPECT_TRUE(std::equal(expected_image.begin(), expected_image.end(), images.begin() + 3 * 9 * 8));
  }
  EXPECT_FALSE(loader.next());
  EXPECT_EQ(seen, data.rows);
}

TEST_F(LoaderTest, IsTheSameForAnyThreadsAndWindow) {
  const LoaderOptions options = {.order = Order::shuffle,
                                 .batch = 5,
                                 .seed = 9,
                                 .augment = parse_augment("flip,crop:0.5,rotate:20,color:0.3")};
  set_team_size(1);
  Loader one(data, steps("size:6x7,unit"), options);
  one.start({.epoch = 2});
  const std::vector<float> expected = all_values(one);
  for (const int threads : {2, 3}) {
    for (const int64_t window : {1, 1 << 20}) {
      set_team_size(threads);
      LoaderOptions other = options;
      other.window_bytes = window;
      Loader loader(data, steps("size:6x7,unit"), other);
      loader.start({.epoch = 2});
      EXPECT_EQ(all_values(loader), expected);
    }
  }
  one.start({.epoch = 3});
  EXPECT_NE(all_values(one), expected);
}

// How often each row is asked for.
class CountingSource : public PictureArray {
 public:
  using PictureArray::PictureArray;
  Image picture(int64_t row, int channels, int min_short_side) const override {
    ++reads;
    return PictureArray::picture(row, channels, min_short_side);
  }
  mutable std::atomic<int> reads = 0;
};

TEST_F(LoaderTest, KeepsPicturesWithinALimit) {
  const auto source = std::make_shared<CountingSource>("x.npy", Tensor(Type{DType::u8, {37, 9, 8, 3}}));
  for (const char* augment : {"flip,rotate:20,color:0.3", "flip,crop:0.5"}) {
    LoaderOptions options = {.order = Order::balanced, .batch = 5, .augment = parse_augment(augment)};
    Loader plain(data, steps("size:6x8,unit"), options);
    const int64_t picture_bytes = options.augment.crop > 0 ? 9 * 8 * 3 : 6 * 8 * 3;
    options.cache_bytes = 20 * picture_bytes + 7;
    Loader caching(data, steps("size:6x8,unit"), options);
    for (int64_t epoch = 0; epoch < 3; ++epoch) {
      plain.start({.epoch = epoch});
      caching.start({.epoch = epoch});
      EXPECT_EQ(all_values(caching), all_values(plain));
    }
  }
  data.source = source;
  Loader loader(data, steps("size:6x8,unit"), {.cache_bytes = 20 * 6 * 8 * 3 + 7});
  all_values(loader);
  EXPECT_EQ(source->reads, 37);
  loader.start({.epoch = 1});
  all_values(loader);
  EXPECT_EQ(source->reads, 37 + 17);
}

TEST_F(LoaderTest, GoesOnWhereItStopped) {
  const LoaderOptions options = {.order = Order::shuffle, .batch = 5, .augment = {.flip = true}};
  Loader whole(data, steps("unit"), options);
  whole.start({.epoch = 4});
  for (int i = 0; i < 3; ++i) whole.next();
  const LoaderPosition position = whole.position();
  EXPECT_EQ(position, (LoaderPosition{4, 15}));
  const std::vector<float> rest = all_values(whole);
  EXPECT_EQ(whole.position(), (LoaderPosition{4, 37}));
  Loader resumed(data, steps("unit"), options);
  resumed.start(position);
  EXPECT_EQ(all_values(resumed), rest);
}

TEST_F(LoaderTest, ViewsRepeat) {
  Loader loader(data, steps("unit"), {.augment = {.color = 0.5}, .views = 2});
  std::vector<std::vector<float>> epochs;
  for (int64_t epoch = 0; epoch < 4; ++epoch) {
    loader.start({.epoch = epoch});
    epochs.push_back(all_values(loader));
  }
  EXPECT_EQ(epochs[0], epochs[2]);
  EXPECT_EQ(epochs[1], epochs[3]);
  EXPECT_NE(epochs[0], epochs[1]);
}

TEST_F(LoaderTest, WeightsAndBalance) {
  Loader loader(data, steps("unit"), {.order = Order::balanced, .batch = 37, .class_weights = {0.5, 2, 4}});
  const Batch batch = *loader.next();
  std::map<int64_t, int> counts;
  for (size_t i = 0; i < 37; ++i) {
    const int64_t label = batch.labels.values<int64_t>()[i];
    ++counts[label];
    EXPECT_EQ(batch.weights.values<float>()[i], label == 0 ? 0.5F : label == 1 ? 2.0F : 4.0F);
  }
  for (const auto& [label, count] : counts) EXPECT_GE(count, 12) << label;
}

TEST_F(LoaderTest, TargetsOfSeveralLabels) {
  data.kind = TargetKind::several;
  data.target_width = 3;
  for (int i = 0; i < 37 * 3; ++i) data.targets.push_back(static_cast<float>(i % 2));
  Loader loader(data, steps("unit"), {.batch = 4});
  const Batch batch = *loader.next();
  EXPECT_EQ(to_string(batch.labels.type()), "f32[4, 3]");
  EXPECT_EQ(batch.labels.values<float>()[3], 1);
  expect_error(ErrorKind::invalid, "balanced sampling",
               [&] { Loader(data, steps("unit"), {.order = Order::balanced}); });
}

TEST_F(LoaderTest, ValuesPassAsTheyAre) {
  data.source = std::make_shared<ValueArray>(
      "x.npy", from_doubles({DType::f32, {37, 2}}, std::vector<double>(74, 0.25)));
  Loader loader(data, {}, {.batch = 30});
  const Batch batch = *loader.next();
  EXPECT_EQ(to_string(batch.images.type()), "f32[30, 2]");
  EXPECT_EQ(batch.images.values<float>()[59], 0.25F);
}

TEST_F(LoaderTest, ChannelsFollowPreprocessingAndSource) {
  const auto shape = [&](std::string_view text, int channels) {
    return to_string(Loader(data, steps(text), {.channels = channels}).sample_shape());
  };
  EXPECT_EQ(shape("gray,unit", 0), "[1, 9, 8]");
  EXPECT_EQ(shape("unit", 1), "[1, 9, 8]");
  expect_error(ErrorKind::invalid, "leaves one channel", [&] { shape("gray", 3); });
  expect_error(ErrorKind::invalid, "'mean:1/2/3' has three numbers", [&] { shape("mean:1/2/3", 1); });
  data.source = std::make_shared<PictureArray>("x.npy", Tensor(Type{DType::u8, {37, 28, 28}}));
  EXPECT_EQ(shape("unit", 0), "[1, 28, 28]");
  EXPECT_EQ(shape("gray,unit", 1), "[1, 28, 28]");
  EXPECT_EQ(shape("size:32x32,unit", 3), "[3, 32, 32]");
  EXPECT_TRUE(Loader(data, steps("gray,unit"), {}).next());
}

class BadSamples : public testing::Test {
 protected:
  BadSamples() {
    const MappedFile good(golden_data("rgb.jpg"));
    std::vector<std::string> files;
    for (int i = 0; i < 7; ++i) {
      const bool bad = i == 0 || i == 3 || i == 4;
      files.push_back(
          folder.write(std::to_string(i) + ".jpg", bad ? good.text().substr(0, 300) : good.text()));
      data.rows.push_back(i), data.labels.push_back(i);
      data.classes.push_back(std::to_string(i));
    }
    data.source = std::make_shared<PictureFiles>(files);
  }

  TemporaryFolder folder;
  Dataset data;
};

TEST_F(BadSamples, FailByName) {
  Loader loader(data, parse_preprocess("size:4x4,unit", 0, 0), {.batch = 2});
  expect_error(ErrorKind::corrupt, "picture " + data.name(0) + ": broken JPEG", [&] { loader.next(); });
}

TEST_F(BadSamples, AreLeftOutAndSaidOnce) {
  std::vector<int64_t> bad;
  LoaderOptions options = {.batch = 2};
  options.on_bad_sample = [&](int64_t sample, const std::string& message) {
    bad.push_back(sample);
    EXPECT_NE(message.find(data.name(sample)), std::string::npos);
  };
  for (const char* text : {"size:4x4,unit", "unit"}) {
    Loader loader(data, parse_preprocess(text, 0, 0), options);
    for (int epoch = 0; epoch < 2; ++epoch) {
      loader.start({.epoch = epoch});
      std::vector<int64_t> kept, labels;
      while (const std::optional<Batch> batch = loader.next()) {
        kept.insert(kept.end(), batch->indices.begin(), batch->indices.end());
        EXPECT_EQ(batch->images.shape().size(0), static_cast<int64_t>(batch->indices.size()));
        for (const int64_t label : batch->labels.values<int64_t>()) labels.push_back(label);
      }
      EXPECT_EQ(kept, (std::vector<int64_t>{1, 2, 5, 6}));
      EXPECT_EQ(labels, kept);
    }
    EXPECT_EQ(bad, (std::vector<int64_t>{0, 3, 4}));
    bad.clear();
  }
  data.rows = {0, 3, 4, 3, 3, 3, 3};
  Loader none(data, parse_preprocess("size:4x4,unit", 0, 0), options);
  expect_error(ErrorKind::invalid, "no sample of the data set could be read", [&] { none.next(); });
}

TEST_F(BadSamples, SizesThatDiffer) {
  folder.write("1.jpg", MappedFile(golden_data("orientation1.jpg")).text());
  data.rows = {2, 1};
  data.labels = {2, 1};
  Loader loader(data, parse_preprocess("unit", 0, 0), {});
  expect_error(ErrorKind::invalid,
               "comes to [3, 6, 10], others to [3, 18, 23]; begin --preprocess with size:HxW",
               [&] { loader.next(); });
}

TEST(Augments, ParseAndPrint) {
  for (const char* text : {"flip", "flip,crop:0.7,rotate:10,color:0.2", "rotate:180"})
    EXPECT_EQ(to_string(parse_augment(text)), text);
  EXPECT_FALSE(parse_augment("").any());
  EXPECT_FALSE(parse_augment("none").any());
  const auto refuses = [](std::string_view text, const std::string& part) {
    expect_error(ErrorKind::invalid, part, [&] { parse_augment(text); });
  };
  refuses("flpi", "did you mean 'flip'");
  refuses("flip:3", "expected flip, crop:AREA");
  refuses("crop:1.5", "'crop:1.5': expected a number above 0 and at most 1, as in crop:0.5");
  refuses("rotate", "expected a number above 0 and at most 180");
}

TEST(Augments, ChangeWhatTheySay) {
  const Image image = picture(40, 30);
  const Preprocess preprocess = parse_preprocess("size:20x24", 0, 0);
  const Image plain = scale(image, preprocess);
  int flips = 0;
  std::set<std::string> crops;
  for (int64_t i = 0; i < 200; ++i) {
    const PhiloxKey key = sample_key(1, 0, i);
    const Image flip = scale_and_augment(image, preprocess, {.flip = true}, key);
    flips += flip.pixels == flipped(plain).pixels;
    EXPECT_TRUE(flip.pixels == plain.pixels || flip.pixels == flipped(plain).pixels);
    const Image crop = scale_and_augment(image, preprocess, {.crop = 0.7}, key);
    EXPECT_EQ(crop.width, 24);
    EXPECT_EQ(crop.height, 20);
    crops.emplace(crop.pixels.begin(), crop.pixels.end());
  }
  EXPECT_NEAR(flips, 100, 30);
  EXPECT_GT(crops.size(), 190U);
}

TEST(Augments, StayInRange) {
  Image gray(10, 10, 3);
  std::fill(gray.pixels.begin(), gray.pixels.end(), uint8_t{100});
  std::set<int> values;
  for (int64_t i = 0; i < 100; ++i) {
    const Image changed =
        scale_and_augment(gray, {}, {.crop = 0.3, .rotate = 45, .color = 0.2}, sample_key(2, 0, i));
    for (const uint8_t value : changed.pixels) EXPECT_EQ(value, changed.pixels[0]);
    EXPECT_GE(changed.pixels[0], 80);
    EXPECT_LE(changed.pixels[0], 120);
    values.insert(changed.pixels[0]);
  }
  EXPECT_GT(values.size(), 20U);
}

// A quarter turn of a square moves its rows to its columns.
TEST(Augments, RotateByTheAngleDrawn) {
  const Image image = picture(21, 21);
  double most = 0;
  for (int64_t i = 0; i < 50; ++i) {
    const Image turned = scale_and_augment(image, {}, {.rotate = 5}, sample_key(3, 0, i));
    EXPECT_EQ(turned.row(10)[3 * 10], image.row(10)[3 * 10]);  // the middle stays
    double moved = 0;
    for (size_t k = 0; k < image.pixels.size(); ++k) moved += turned.pixels[k] != image.pixels[k];
    most = std::max(most, moved);
  }
  EXPECT_GT(most, 400);
}

TEST(Augments, KeysDiffer) {
  std::set<PhiloxKey> keys;
  for (uint64_t seed = 0; seed < 3; ++seed) {
    for (int64_t epoch = 0; epoch < 3; ++epoch) {
      for (int64_t sample = 0; sample < 50; ++sample) keys.insert(sample_key(seed, epoch, sample));
    }
  }
  EXPECT_EQ(keys.size(), 450U);
}

}  // namespace
}  // namespace temper
