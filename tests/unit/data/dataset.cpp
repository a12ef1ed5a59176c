#include "data/dataset.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "data/npy.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "unit/data/pictures.h"

namespace temper {
namespace {

using namespace std::string_literals;

class DatasetTest : public testing::Test {
 protected:
  std::string in(const std::string& name) const { return (folder.path() / name).string(); }
  std::string root() const { return folder.path().string(); }
  void add_pictures(const std::string& where, int count) const {
    const MappedFile png(golden_data("rgb.png"));
    for (int i = 0; i < count; ++i) folder.write(where + "/" + std::to_string(i) + ".png", png.text());
  }
  void refuses(ErrorKind kind, const std::string& path, const std::string& part) const {
    expect_error(kind, part, [&] { open_data({.data = path}); });
  }

  TemporaryFolder folder;
};

TEST_F(DatasetTest, ClassFoldersAreSplitPerClass) {
  add_pictures("b", 20);
  add_pictures("a/inner", 11);
  add_pictures(".hidden", 3);
  folder.write("a/notes.txt", "no picture");
  const DataSplits splits = open_data({.data = root(), .seed = 3});
  EXPECT_EQ(splits.train->classes, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(splits.split_by_us);
  EXPECT_EQ(class_counts(*splits.train), (std::vector<int64_t>{10, 18}));
  EXPECT_EQ(class_counts(*splits.val), (std::vector<int64_t>{1, 2}));
  EXPECT_FALSE(splits.test);
  EXPECT_EQ(open_data({.data = root(), .seed = 3}).val->rows, splits.val->rows);
  EXPECT_NE(open_data({.data = root(), .seed = 4}).val->rows, splits.val->rows);
  EXPECT_FALSE(open_data({.data = root(), .val_split = 0}).val);
  EXPECT_EQ(open_data({.data = root(), .val_split = 0.5}).val->size(), 16);
  const DataSplits whole = open_data({.data = root(), .split = false});
  EXPECT_EQ(whole.train->size(), 31);
  EXPECT_FALSE(whole.val);
  EXPECT_EQ(whole.train->source->picture(0, 3, 0).width, 23);
  EXPECT_TRUE(whole.train->name(30).ends_with("b/9.png"));
}

TEST_F(DatasetTest, FoldersOfSets) {
  for (const char* set : {"train", "valid", "test"}) {
    add_pictures(set + "/x"s, 2);
    add_pictures(set + "/y"s, 3);
  }
  add_pictures("more/y", 1);
  const DataSplits splits = open_data({.data = root()});
  EXPECT_EQ(splits.train->size(), 5);
  EXPECT_EQ(splits.val->size(), 5);
  EXPECT_EQ(splits.test->size(), 5);
  EXPECT_FALSE(splits.split_by_us);
  const DataSplits other = open_data({.data = root(), .val = in("more")});
  EXPECT_EQ(other.val->labels, (std::vector<int64_t>{1}));
  EXPECT_EQ(other.val->classes, other.train->classes);
}

TEST_F(DatasetTest, FoldersThatCannotTrain) {
  refuses(ErrorKind::not_found, in("absent"), "there is no such file or folder");
  refuses(ErrorKind::invalid, root(), "holds no class folders; expected a folder per class");
  add_pictures(".", 1);
  refuses(ErrorKind::invalid, root(), "holds pictures but no class folders");
  add_pictures("cats", 2);
  refuses(ErrorKind::invalid, root(), "one class, 'cats'; training takes at least two");
  EXPECT_EQ(open_data({.data = root(), .split = false}).train->classes.size(), 1U);
  std::filesystem::create_directory(folder.path() / "dogs");
  refuses(ErrorKind::invalid, root(), "dogs: a class folder without pictures");
  refuses(ErrorKind::unsupported, folder.write("x.txt", "x"), "x.txt: expected a folder of class folders");
}

TEST_F(DatasetTest, SetsMustAgree) {
  add_pictures("train/a", 1);
  add_pictures("train/b", 1);
  add_pictures("val/c", 1);
  refuses(ErrorKind::invalid, root(), "a set has classes that the training set lacks: 'c'");
  std::filesystem::remove_all(folder.path() / "train");
  refuses(ErrorKind::invalid, root(), "no training set; expected " + root() + "/train");
  EXPECT_EQ(open_data({.data = root(), .split = false}).val->size(), 1);
  expect_error(ErrorKind::invalid, "--val-split: expected a share",
               [&] { open_data({.data = root(), .val_split = 1}); });
}

TEST_F(DatasetTest, LabelsOfAModel) {
  add_pictures("a", 2);
  add_pictures("c", 2);
  DataSplits splits = open_data({.data = root(), .split = false});
  use_labels(splits, {"c", "b", "a"});
  EXPECT_EQ(splits.train->labels, (std::vector<int64_t>{2, 2, 0, 0}));
  EXPECT_EQ(splits.train->classes.size(), 3U);
  expect_error(ErrorKind::invalid, "does not know: 'b', 'c'; its labels are 'a', 'x'",
               [&] { use_labels(splits, {"a", "x"}); });
}

TEST_F(DatasetTest, IdxPairs) {
  const std::string images = "\0\0\x08\3\0\0\0\3\0\0\0\1\0\0\0\2abcdef"s,
                    labels = "\0\0\x08\1\0\0\0\3\2\0\1"s;
  folder.write("train-images-idx3-ubyte", images);
  const std::string path = folder.write("train-labels-idx1-ubyte", labels);
  folder.write("t10k-images-idx3-ubyte", images);
  folder.write("t10k-labels-idx1-ubyte", "\0\0\x08\1\0\0\0\3\2\0\xb"s);
  const DataSplits splits = open_data({.data = root()});
  EXPECT_FALSE(splits.val);
  EXPECT_EQ(splits.train->classes.size(), 12U);
  EXPECT_EQ(splits.train->classes[11], "11");
  EXPECT_EQ(splits.train->labels, (std::vector<int64_t>{2, 0, 1}));
  EXPECT_EQ(splits.test->name(2), "t10k-images-idx3-ubyte#2");
  EXPECT_EQ(splits.train->source->picture(1, 1, 0).pixels, (std::vector<uint8_t>{'c', 'd'}));
  EXPECT_EQ(splits.train->source->picture(1, 3, 0).pixels.size(), 6U);
  DataSplits named = splits;
  use_labels(named, {"l0", "l1", "l2", "l3", "l4", "l5", "l6", "l7", "l8", "l9", "l10", "l11"});
  EXPECT_EQ(named.train->labels, splits.train->labels);
  EXPECT_EQ(open_data({.data = in("t10k-images-idx3-ubyte")}).train->size(), 3);
  folder.write("train-labels-idx1-ubyte", "\0\0\x08\1\0\0\0\2\2\0"s);
  refuses(ErrorKind::invalid, root(), "holds 3 samples, " + path + " holds 2 labels");
  std::filesystem::remove(path);
  refuses(ErrorKind::not_found, root(),
          "no labels for " + in("train-images-idx3-ubyte") + "; expected " + path);
}

TEST_F(DatasetTest, TablesOfNumbers) {
  const std::string path = folder.write("a.csv", "x,y,class\n1,2,dog\n3,4,cat\n5,6,dog\n7,8,dog\n9,1,cat\n");
  const DataSplits splits = open_data({.data = path, .val_split = 0});
  EXPECT_EQ(splits.train->classes, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(splits.train->labels, (std::vector<int64_t>{1, 0, 1, 1, 0}));
  std::vector<float> row(2);
  splits.train->source->values(1, row);
  EXPECT_EQ(row, (std::vector<float>{3, 4}));
  EXPECT_EQ(open_data({.data = path}).val->size(), 2);
  const Dataset prices =
      *open_data({.data = folder.write("b.csv", "1,2,0.5\n3,4,7\n"), .val_split = 0}).train;
  EXPECT_EQ(prices.kind, TargetKind::numbers);
  EXPECT_EQ(prices.targets, (std::vector<float>{0.5F, 7}));
  const Dataset whole =
      *open_data(
           {.data = folder.write("c.csv", "1,2,5\n3,4,7\n"), .val_split = 0, .kind = TargetKind::numbers})
           .train;
  EXPECT_EQ(whole.targets, (std::vector<float>{5, 7}));
  refuses(ErrorKind::invalid, folder.write("d.csv", "x,class\n1,a\nred,b\n"),
          "d.csv: line 3, column 'x': expected a number, found 'red'");
  refuses(ErrorKind::invalid, folder.write("e.csv", "x,class\n1,a\n2,\n"),
          "e.csv: line 3, column 'class': no label");
  refuses(ErrorKind::invalid, folder.write("f.csv", "x\n1\n"), "a table of one column");
}

TEST_F(DatasetTest, TablesOfPicturesWithSeveralLabels) {
  add_pictures("p", 3);
  const std::string path = folder.write("a.csv", "file,labels\np/0.png,red;round\np/1.png,\np/2.png,red\n");
  const Dataset data = *open_data({.data = path, .val_split = 0}).train;
  EXPECT_EQ(data.kind, TargetKind::several);
  EXPECT_EQ(data.classes, (std::vector<std::string>{"red", "round"}));
  EXPECT_EQ(data.targets, (std::vector<float>{1, 1, 0, 0, 1, 0}));
  EXPECT_EQ(data.name(2), in("p/2.png"));
  EXPECT_EQ(data.source->picture(2, 3, 0).height, 18);
  EXPECT_EQ(class_counts(data), (std::vector<int64_t>{2, 1}));
  DataSplits splits{.train = data};
  use_labels(splits, {"blue", "round", "red"});
  EXPECT_EQ(splits.train->targets, (std::vector<float>{0, 1, 1, 0, 0, 0, 0, 0, 1}));
}

TEST_F(DatasetTest, Arrays) {
  write_npy(in("x_train.npy"), Tensor(Type{DType::f64, {4, 2, 3}}));
  write_npy(in("y_train.npy"), Tensor::from<int64_t>({4}, std::vector<int64_t>{0, 1, 2, 1}));
  const Dataset data = *open_data({.data = root()}).train;
  EXPECT_EQ(to_string(data.source->value_shape()), "[2, 3]");
  EXPECT_EQ(data.classes.size(), 3U);
  write_npy(in("images.npy"), Tensor(Type{DType::u8, {4, 5, 6, 3}}));
  write_npy(in("labels.npy"), Tensor(Type{DType::f32, {4, 2}}));
  const Dataset numbers = *open_data({.data = in("images.npy")}).train;
  EXPECT_TRUE(numbers.source->has_pictures());
  EXPECT_EQ(numbers.kind, TargetKind::numbers);
  EXPECT_EQ(numbers.target_width, 2);
  write_npy(in("labels.npy"), Tensor(Type{DType::i64, {3}}));
  refuses(ErrorKind::invalid, in("images.npy"), "holds 4 samples");
  write_npy(in("labels.npy"), Tensor::from<int64_t>({4}, std::vector<int64_t>{0, 1, -2, 1}));
  refuses(ErrorKind::invalid, in("images.npy"), "labels.npy: label 2 is -2");
  write_npy(in("z.npy"), Tensor(Type{DType::u8, {4}}));
  refuses(ErrorKind::not_found, in("z.npy"), "no targets for");
}

TEST_F(DatasetTest, ClassWeights) {
  add_pictures("a", 1);
  add_pictures("b", 3);
  const Dataset data = *open_data({.data = root(), .val_split = 0}).train;
  EXPECT_EQ(class_weights(data, "auto"), (std::vector<float>{2, 4 / 6.0F}));
  EXPECT_EQ(class_weights(data, folder.write("w", "b,2.5\na,1\n")), (std::vector<float>{1, 2.5}));
  const auto refuses_file = [&](const std::string& text, const std::string& part) {
    expect_error(ErrorKind::invalid, part, [&] { class_weights(data, folder.write("w", text)); });
  };
  refuses_file("b,2.5\nc,1\n", "line 2: the data have no class 'c'");
  refuses_file("b,2.5\na,-1\n", "line 2: a weight below 0");
  refuses_file("a,b,1\nb,a,2\n", "expected lines of CLASS,WEIGHT");
}

}  // namespace
}  // namespace temper
