#include "train/checkpoint.h"

#include <gmock/gmock.h>

#include <cmath>

#include "formats/safetensors.h"
#include "support/expect_error.h"
#include "train/tensor_file.h"
#include "unit/train/run.h"

namespace temper {
namespace {

RunProgress sample_progress() {
  RunProgress p;
  p.epoch = 2, p.sample = 96, p.step = 41, p.batches = 3;
  p.sums = {1.0 / 3, 96, 50, 90, 96, 0.125};
  p.plateau = {0.7, 1, 2};
  p.best = -0.1, p.best_epoch = 1, p.waited = 1, p.seconds = 12.5, p.finished = true;
  p.history = {{.epoch = 1,
                .epochs = 3,
                .step = 20,
                .lr = 1e-3,
                .seconds = 6,
                .train_loss = std::nan(""),
                .train_accuracy = 0.5,
                .validated = true,
                .val_loss = 0.1,
                .val_accuracy = 0.9,
                .best = true}};
  return p;
}

TEST(Checkpoint, HoldsEverything) {
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "last.ckpt").string();
  const Tensor a = Tensor::from<float>({3}, std::vector<float>{1, -2, 1e-30f});
  const Tensor key = Tensor::from<uint32_t>({2}, std::vector<uint32_t>{7, 0xFFFFFFFF});
  write_checkpoint(path, {{{"param.a", a}, {"key", key}}, sample_progress()});
  const Checkpoint read = read_checkpoint(path);
  EXPECT_TRUE(read.state.at("param.a") == a);
  EXPECT_TRUE(read.state.at("key") == key);
  const RunProgress wanted = sample_progress(), &found = read.progress;
  EXPECT_EQ(found.epoch, wanted.epoch);
  EXPECT_EQ(found.sample, wanted.sample);
  EXPECT_EQ(found.step, wanted.step);
  EXPECT_EQ(found.batches, wanted.batches);
  EXPECT_EQ(found.sums.loss, wanted.sums.loss);
  EXPECT_EQ(found.sums.samples, wanted.sums.samples);
  EXPECT_EQ(found.plateau.best, wanted.plateau.best);
  EXPECT_EQ(found.plateau.drops, wanted.plateau.drops);
  EXPECT_EQ(found.best, wanted.best);
  EXPECT_EQ(found.waited, wanted.waited);
  EXPECT_TRUE(found.finished);
  ASSERT_EQ(found.history.size(), 1u);
  EXPECT_TRUE(std::isnan(found.history[0].train_loss));
  EXPECT_EQ(found.history[0].val_loss, 0.1);
  EXPECT_TRUE(found.history[0].best);
}

TEST(Checkpoint, BeginsWithNoBest) {
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "last.ckpt").string();
  write_checkpoint(path, {});
  EXPECT_TRUE(std::isinf(read_checkpoint(path).progress.best));
}

TEST(Checkpoint, RefusesWhatIsDamaged) {
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "last.ckpt").string();
  write_checkpoint(path, {{{"a", Tensor::from<float>({3}, std::vector<float>{1, 2, 3})}}, sample_progress()});
  const std::string whole = bytes_of(path);
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::string part = folder.write("part.ckpt", whole.substr(0, size));
    EXPECT_THROW(read_checkpoint(part), Error) << size << " of " << whole.size() << " bytes";
  }
  expect_error(ErrorKind::corrupt, "last.ckpt: a file of 3 bytes has no safetensors header",
               [&] { read_checkpoint(folder.write("last.ckpt", "abc")); });
  write_safetensors_file({}, path);
  expect_error(ErrorKind::corrupt, "holds no state of a run", [&] { read_checkpoint(path); });
  expect_error(ErrorKind::not_found, "absent.ckpt",
               [&] { read_checkpoint((folder.path() / "absent.ckpt").string()); });
}

TEST(TensorFile, IsThereWholeOrNotAtAll) {
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "rows.safetensors").string();
  const std::vector<std::pair<std::string, Type>> types = {{"a", {DType::f32, {2, 3}}},
                                                           {"n", {DType::i64, {2}}}};
  {
    MappedTensorFile file(path, types, {});
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  {
    MappedTensorFile file(path, types, {{"k", "v"}});
    file.tensor("a").mutable_values<float>()[5] = 2.5f;
    file.tensor("n").mutable_values<int64_t>()[1] = -1;
    file.commit();
  }
  const Safetensors read = read_safetensors_file(path);
  EXPECT_EQ(read.tensors.at("a").values<float>()[5], 2.5f);
  EXPECT_EQ(read.tensors.at("n").values<int64_t>()[1], -1);
  EXPECT_EQ(read.metadata.at("k"), "v");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

}  // namespace
}  // namespace temper
