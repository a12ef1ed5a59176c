// Data that are not there, broken, or do not suit the model.
#include <linux/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "errors/program.h"

namespace temper {
namespace {

using DataErrorsTest = ErrorsTest;

std::string big_endian(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}
std::string idx_images(uint32_t claimed, size_t there) {
  return concat(big_endian(0x803), big_endian(claimed), big_endian(4), big_endian(4),
                std::string(16 * there, '\1'));
}
std::string idx_labels(uint32_t count) {
  return concat(big_endian(0x801), big_endian(count), std::string(count, '\1'));
}

TEST_F(DataErrorsTest, Folders) {
  expect_no_run(1, concat("cnn --data ", in("absent")), {in("absent"), "no such file or folder"});
  expect_no_run(1, concat("cnn --data ", photos("one", {"cat"})), {in("one"), "one class, 'cat'"});
  std::filesystem::create_directories(in("none"));
  expect_no_run(1, concat("cnn --data ", in("none")), {in("none"), "holds no class folders"});
  write("loose/0.bmp", bmp(32, 9));
  expect_no_run(1, concat("cnn --data ", in("loose")), {in("loose"), "pictures but no class folders"});
  expect_no_run(1, concat("cnn --data ", write("picture.jpg", bmp(32, 9))),
                {in("picture.jpg"), "expected a folder of class folders"});
  photos("empty", {"cat", "dog"});
  std::filesystem::create_directories(in("empty/eel"));
  expect_no_run(1, concat("cnn --data ", in("empty")), {in("empty/eel"), "without pictures"});
}

TEST_F(DataErrorsTest, PicturesThatCannotBeRead) {
  const std::filesystem::path shipped = shipped_data("clothing10/train/dress/01.jpg");
  TEMPER_NEED(shipped);
  const std::string data = photos("photos", {"cat", "dog"}), half = cut("photos/dog/half.jpg", shipped, 0.5);
  expect_no_run(1, concat("cnn --epochs 1 --data ", data), {half, "Premature end"});
  write("photos/dog/half.jpg", "no picture");
  expect_no_run(1, concat("cnn --epochs 1 --data ", data), {half, "not a JPEG, PNG, WebP or BMP picture"});
  const Outcome skipping =
      run(concat("tune cnn --epochs 1 --data ", data, " --on-bad-sample skip --out ", in("run")));
  EXPECT_EQ(skipping.code, 0) << skipping.errors;
  EXPECT_THAT(skipping.errors, testing::HasSubstr(half));
}

// Whether programs that this one starts read only what permissions allow: root's must lose the privilege
// first.
bool permissions_count() {
  if (geteuid() != 0) return true;
  return prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE) == 0 && prctl(PR_CAPBSET_DROP, CAP_DAC_READ_SEARCH) == 0;
}

TEST_F(DataErrorsTest, FilesThatMayNotBeRead) {
  if (!permissions_count()) GTEST_SKIP() << "skipped, because root may read everything here";
  const std::string data = photos("photos", {"cat", "dog"});
  std::filesystem::permissions(in("photos/dog/0.bmp"), std::filesystem::perms::none);
  expect_no_run(1, concat("cnn --epochs 1 --data ", data), {in("photos/dog/0.bmp"), "Permission denied"});
  std::filesystem::permissions(in("photos/dog"), std::filesystem::perms::none);
  expect_no_run(1, concat("cnn --epochs 1 --data ", data), {in("photos/dog"), "Permission denied"});
  std::filesystem::permissions(in("photos/dog"), std::filesystem::perms::owner_all);
}

TEST_F(DataErrorsTest, Idx) {
  write("idx/train-images-idx3-ubyte", idx_images(10, 8));
  write("idx/train-labels-idx1-ubyte", idx_labels(10));
  expect_no_run(1, concat("mlp:16-4-2 --data ", in("idx")),
                {in("idx/train-images-idx3-ubyte"), "ask for 160 bytes", "found 128"});
  write("idx/train-images-idx3-ubyte", idx_images(10, 10));
  write("idx/train-labels-idx1-ubyte", idx_labels(9));
  expect_no_run(1, concat("mlp:16-4-2 --data ", in("idx")),
                {"holds 10 samples", in("idx/train-labels-idx1-ubyte"), "9 labels"});
  std::filesystem::remove(in("idx/train-labels-idx1-ubyte"));
  expect_no_run(1, concat("mlp:16-4-2 --data ", in("idx")),
                {"no labels for", in("idx/train-labels-idx1-ubyte")});
}

TEST_F(DataErrorsTest, Tables) {
  expect_no_run(1, concat("mlp:12-4-2 --data ", write("short.csv", "a,b,label\n1,2,x\n1,x\n")),
                {in("short.csv"), "line 3", "2 fields"});
  expect_no_run(1, concat("mlp:12-4-2 --data ", write("words.csv", "a,b,label\n1,2,x\n1,two,y\n")),
                {in("words.csv"), "line 3", "two"});
  expect_no_run(1, concat("mlp:12-4-2 --data ", write("empty.csv", "")), {in("empty.csv"), "empty"});
}

TEST_F(DataErrorsTest, PredictGoesOnAfterABadFile) {
  const std::string good = write("good.bmp", bmp(32, 9)), bad = write("bad.bmp", "BM");
  const std::string words =
      concat("predict cnn --quiet --top 1 ", good, " ", in("absent.jpg"), " ", bad, " ", good);
  const Outcome outcome = run(words);
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(std::ranges::count(outcome.errors, '\n'), 2) << outcome.errors;
  EXPECT_THAT(outcome.errors, testing::HasSubstr(concat(in("absent.jpg"), ": no such file or folder")));
  EXPECT_THAT(outcome.errors, testing::HasSubstr(bad));
  const Outcome json = run(words + " --json");
  EXPECT_EQ(json.code, 1);
  EXPECT_THAT(json.output,
              testing::MatchesRegex("\\{[^\n]*\"top\"[^\n]*\n\\{[^\n]*\"kind\":\"not_found\"[^\n]*\n"
                                    "\\{[^\n]*\"kind\":\"corrupt\"[^\n]*\n\\{[^\n]*\"top\"[^\n]*\n"));
}

TEST_F(DataErrorsTest, Labels) {
  const std::string good = write("good.bmp", bmp(32, 9));
  expect_refusal(1, concat("predict cnn --quiet --labels ", write("two.txt", "cat\ndog\n"), " ", good),
                 {in("two.txt"), "2 names", "10 scores"});
  expect_refusal(1, concat("predict cnn --quiet --labels ", write("empty.txt", ""), " ", good),
                 {in("empty.txt"), "empty"});
  expect_refusal(1, concat("predict cnn --quiet --labels ", in("absent.txt"), " ", good), {in("absent.txt")});
}

}  // namespace
}  // namespace temper
