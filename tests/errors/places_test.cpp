// Where results go: places that hold something already, are full or may not be written to; losses that are no
// numbers.
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>

#include "base/text.h"
#include "errors/program.h"

namespace temper {
namespace {

namespace fs = std::filesystem;

class PlaceErrorsTest : public ErrorsTest {
 protected:
  // A file system of `bytes`, for as long as the test runs; none without the right to mount one.
  bool small_disk(const std::string& name, int bytes) {
    fs::create_directories(in(name));
    if (mount("tmpfs", in(name).c_str(), "tmpfs", 0, concat("size=", bytes).c_str()) != 0) return false;
    mounted_ = in(name);
    return true;
  }
  void TearDown() override {
    if (!mounted_.empty()) umount(mounted_.c_str());
  }
  std::string job() const { return concat("tune ", model(), " --data ", table(), " --quiet "); }

  std::string mounted_;
};

TEST_F(PlaceErrorsTest, AnEarlierRunIsKept) {
  const std::string out = concat("--out ", in("run"));
  ASSERT_EQ(run(concat(job(), "--epochs 1 ", out)).code, 0);
  const std::string before = bytes_of(in("run/model.onnx"));
  expect_refusal(2, concat(job(), out), {in("run"), "holds a run", "--resume", "--overwrite"});
  expect_refusal(2, concat(job(), out, " --overwrite --head dens"), {"did you mean dense?"});
  expect_refusal(2, concat(job(), out, " --overwrite --shape other=1x12"), {"no input is named 'other'"});
  expect_refusal(1, concat("tune ", model(), " --quiet --overwrite --data absent ", out), {"absent"});
  EXPECT_EQ(bytes_of(in("run/model.onnx")), before);
  EXPECT_TRUE(fs::exists(in("run/last.ckpt")));
  write("file", "");
  expect_refusal(2, concat(job(), "--out ", in("file")), {in("file"), "Not a directory"});
  expect_refusal(2, concat(job(), "--out ", in("file/run")), {in("file/run"), "Not a directory"});
}

TEST_F(PlaceErrorsTest, ALossThatIsNoNumber) {
  const std::string words = "--loss mse --optimizer sgd --lr 1e6 --momentum 0.9 --batch 2 ";
  expect_refusal(1, concat(job(), words, "--epochs 50 --out ", in("run")), {"not finite", "--lr"});
}

TEST_F(PlaceErrorsTest, ADiskThatIsFull) {
  const std::string wide = concat("tune mlp:12-4096-2 --data ", table(), " --quiet --epochs 1 --out ");
  if (!small_disk("small", 200'000))
    GTEST_SKIP() << "skipped, because a small disk cannot be mounted here: that takes root";
  expect_refusal(4, concat(wide, in("small/run")), {in("small/run/"), "No space left"});
  expect_refusal(4, concat("convert --quiet mlp:12-9000-2 ", in("small/out.onnx")),
                 {in("small/out.onnx"), "No space left"});
  EXPECT_TRUE(fs::is_empty(in("small")));
}

// The same without root: a limit on the size of files.
TEST_F(PlaceErrorsTest, AFileThatGrowsTooLarge) {
  const std::string limit = "trap '' XFSZ && ulimit -f 100";
  const std::string wide = concat("tune mlp:12-4096-2 --data ", table(), " --quiet --epochs 1 --out ");
  expect_refusal(4, concat(wide, in("run")), {in("run/"), "File too large"}, limit);
  EXPECT_FALSE(fs::exists(in("run")));
  expect_refusal(4, concat("convert --quiet mlp:12-9000-2 ", in("out.onnx")),
                 {in("out.onnx"), "File too large"}, limit);
  EXPECT_FALSE(fs::exists(in("out.onnx")));
}

TEST_F(PlaceErrorsTest, ACacheThatMayNotBeWrittenIsNoError) {
  write("file", "");
  for (const std::string& cache : {in("file/cache"), std::string("/proc/temper")}) {
    const Outcome outcome =
        run(concat(job(), "--overwrite --epochs 1 --out ", in("run")), concat("export TEMPER_CACHE=", cache));
    EXPECT_EQ(outcome.code, 0) << outcome.errors;
    EXPECT_EQ(outcome.errors, "");
  }
}

}  // namespace
}  // namespace temper
