#include "formats/onnx/lean.h"

#include <gtest/gtest.h>

#include <cstring>

#include "support/temporary_folder.h"
#include "temper/error.h"
#include "unit/formats/onnx_file.h"

namespace temper {
namespace {

std::string some_file() {
  return onnx::file_bytes(file({node("MatMul", {"x", "w"}, {"h"}), node("Add", {"h", "b"}, {"y"})}, {1, 64},
                               {{"b", floats({3})}, {"w", floats({64, 3000})}, {"v", floats({1500})}}));
}

bool same_values(const Tensor& a, const Tensor& b) {
  return a.type() == b.type() && std::memcmp(a.data(), b.data(), static_cast<size_t>(a.bytes())) == 0;
}

TEST(OnnxLean, LeavesOutTheBytesOfLargeInitialisers) {
  const std::string bytes = some_file();
  const std::optional<onnx::LeanFile> lean = onnx::lean(bytes);
  ASSERT_TRUE(lean);
  EXPECT_LT(lean->message.size(), 1000u);
  ASSERT_EQ(lean->bytes.size(), 3u);
  EXPECT_TRUE(lean->bytes[0].empty()) << "a small one stays";
  EXPECT_EQ(lean->bytes[1].size(), 64u * 3000 * 4);
  EXPECT_EQ(lean->bytes[2].size(), 1500u * 4);
  EXPECT_GE(lean->bytes[1].data(), bytes.data());
  EXPECT_LT(lean->bytes[1].data(), bytes.data() + bytes.size());
}

TEST(OnnxLean, TheTensorsAreThoseOfTheFileWhereverTheyLie) {
  const TemporaryFolder folder;
  for (const std::string& name :
       {std::string("a"), std::string("ab"), std::string("abc"), std::string("abcd")}) {
    onnx::ModelDef model = file({node("Identity", {"x"}, {"y"})}, {1, 64},
                                {{"w", floats({64, 3000})}, {"b", floats({3})}, {"v", floats({1500})}});
    model.graph.name = name;  // moves all that follows by a byte
    const onnx::ModelDef found = onnx::parse_file(folder.write(name, onnx::file_bytes(model)));
    ASSERT_EQ(found.graph.initializers.size(), 3u);
    for (size_t i = 0; i < 3; ++i) {
      const Tensor& tensor = found.graph.initializers[i].tensor;
      EXPECT_TRUE(same_values(tensor, model.graph.initializers[i].tensor)) << name << i;
      EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.data()) % 4, 0u);
    }
  }
}

TEST(OnnxLean, WhatIsCutOffIsLeftToTheReader) {
  const std::string bytes = some_file();
  EXPECT_FALSE(onnx::lean(bytes.substr(0, bytes.size() / 2)));
  EXPECT_FALSE(onnx::lean(bytes + "\x0b"));  // the beginning of a group, which ONNX has not
  EXPECT_FALSE(onnx::lean(onnx::file_bytes(file({node("Identity", {"x"}, {"y"})}, {1, 64}))))
      << "nothing to leave out";
  EXPECT_THROW(onnx::parse_bytes(bytes.substr(0, bytes.size() / 2), "half.onnx"), Error);
}

}  // namespace
}  // namespace temper
