// Files of weights alone: safetensors and PyTorch state dicts.
#include <gtest/gtest.h>

#include "base/file.h"
#include "formats/format.h"
#include "formats/safetensors.h"
#include "support/data.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "tensor/compare.h"

using std::string_view_literals::operator""sv;

namespace temper {
namespace {

std::string safetensors(const std::string& header, const std::string& data) {
  const uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), sizeof size) + header + data;
}

TEST(SafetensorsTest, WhatIsWrittenIsRead) {
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "a.safetensors").string();
  Model model;
  std::vector<float> many(5000);
  for (size_t i = 0; i < many.size(); ++i) many[i] = static_cast<float>(i);
  model.parameters["w"] = Tensor::from<float>({50, 100}, many);
  model.parameters["mask"] = Tensor::from<uint8_t>({3}, std::vector<uint8_t>{1, 0, 7});
  model.parameters["none"] = Tensor(Type{DType::f16, {0, 4}});
  model.labels = {"cat", "dog"};
  model.preprocess = parse_preprocess("torch", 224, 224);
  write_model(model, path);
  const Model again = read_model(path);
  ASSERT_EQ(again.parameters.size(), 3u);
  for (const auto& [name, tensor] : model.parameters)
    EXPECT_TRUE(close(again.parameters.at(name), tensor, 0, 0)) << name;
  EXPECT_TRUE(again.parameters.at("w").storage()->read_only) << "large tensors stay in the mapped file";
  EXPECT_EQ(again.labels, model.labels);
  EXPECT_EQ(again.preprocess, model.preprocess);
  const std::string first(MappedFile(path).text());
  write_model(again, path);
  EXPECT_EQ(MappedFile(path).text(), first);
}

TEST(SafetensorsTest, DamagedFilesAreRefusedByTensor) {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& bytes, const std::string& why) {
    const std::string path = folder.write("bad.safetensors", bytes);
    expect_error(ErrorKind::corrupt, why, [&] { read_model(path); });
  };
  refused("", "0 bytes");
  refused(safetensors("{}", "").replace(0, 8, "\xff\xff\xff\xff\xff\xff\xff\x7f", 8), "header claims");
  refused(safetensors("{\"a\":", ""), "header");
  refused(safetensors("[]", ""), "no JSON object");
  refused(safetensors(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}})", "12345678"),
          "takes 4 bytes");
  refused(safetensors(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})", "12345678"),
          "do not lie within");
  refused(
      safetensors(
          R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})",
          "123456"),
      "'a' and 'b' overlap");
  refused(safetensors(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})", "1234"),
          "belong to no tensor");
  refused(safetensors(R"({"a":{"dtype":"U8","shape":[-2],"data_offsets":[0,2]}})", "12"), "negative");
  refused(safetensors(R"({"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,2]}})", "12"),
          "2^60");
  refused(safetensors(R"({"__metadata__":3})", ""), "__metadata__");
  expect_error(ErrorKind::unsupported, "C64", [&] {
    read_model(folder.write("c.safetensors",
                            safetensors(R"({"a":{"dtype":"C64","shape":[0],"data_offsets":[0,0]}})", "")));
  });
}

TEST(TorchTest, LegacyStateDictEqualsTheSafetensorsOfIt) {
  const auto torch = shared_data("models/cifar10/resnet20-12fca82f.th"),
             safe = shared_data("models/cifar10/resnet20_cifar10.safetensors");
  TEMPER_NEED(torch);
  TEMPER_NEED(safe);
  const std::map<std::string, Tensor> ours = read_parameters(torch.string()),
                                      expected = read_parameters(safe.string());
  for (const auto& [name, tensor] : expected) {
    ASSERT_TRUE(ours.contains(name)) << name;
    EXPECT_TRUE(close(ours.at(name), tensor, 0, 0)) << name;
  }
}

// What torch.save writes, cut anywhere, is an error and nothing worse.
TEST(TorchTest, CutFilesAreRefused) {
  const auto torch = shared_data("models/cifar10/resnet20-12fca82f.th");
  TEMPER_NEED(torch);
  const TemporaryFolder folder;
  const std::string bytes(MappedFile(torch.string()).text());
  for (size_t size = 0; size < bytes.size(); size = size * 3 / 2 + 7) {
    const std::string path = folder.write("cut.pth", std::string_view(bytes).substr(0, size));
    EXPECT_THROW(read_model(path), Error) << size;
  }
}

TEST(TorchTest, NothingInAFileIsRun) {
  const TemporaryFolder folder;
  const std::string path = folder.write("evil.pth",
                                        "\x80\x02"
                                        "cos\nsystem\n(X\x02\0\0\0lstR."sv);
  expect_error(ErrorKind::unsupported, "os.system", [&] { read_model(path); });
}

}  // namespace
}  // namespace temper
