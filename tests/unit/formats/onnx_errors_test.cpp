// Files that are wrong, each told what is wrong in one line.
#include <gtest/gtest.h>

#include "base/file.h"
#include "onnx_file.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace temper {
namespace {

void refused(ErrorKind kind, const std::string& why, const onnx::ModelDef& model) {
  expect_error(kind, why, [&] { read(model); });
}

TEST(OnnxErrorsTest, EveryUnsupportedNodeAndAttributeIsNamedAtOnce) {
  const onnx::ModelDef model =
      file({node("Frobnicate", {"x"}, {"a"}), node("Relu", {"x"}, {"b"}, {{"slope", 2.0}}),
            node("Bogus", {"x"}, {"c"}), node("Sum", {"a", "b", "c"}, {"y"})},
           {2, 4});
  for (const std::string part : {"3 things", "'a_node' (Frobnicate, node 0, opset 17)",
                                 "'b_node' (Relu, node 1, opset 17): attribute slope", "'c_node' (Bogus"})
    refused(ErrorKind::unsupported, part, model);
}

TEST(OnnxErrorsTest, GraphsThatAreNone) {
  refused(
      ErrorKind::corrupt, "cycle",
      file({node("Add", {"x", "b"}, {"a"}), node("Relu", {"a"}, {"b"}), node("Relu", {"b"}, {"y"})}, {2}));
  refused(ErrorKind::corrupt, "'absent', which nothing produces",
          file({node("Add", {"x", "absent"}, {"y"})}, {2}));
  refused(ErrorKind::corrupt, "produced twice",
          file({node("Relu", {"x"}, {"y"}), node("Exp", {"x"}, {"y"})}, {2}));
  refused(ErrorKind::corrupt, "two initialisers are named 'w'",
          file({node("Add", {"x", "w"}, {"y"})}, {2}, {{"w", floats({2})}, {"w", floats({2})}}));
  refused(ErrorKind::corrupt, "output 'y' is produced by no node", file({node("Relu", {"x"}, {"z"})}, {2}));
  onnx::ModelDef model = file({node("Relu", {"x"}, {"y"})}, {2});
  model.graph.outputs.clear();
  refused(ErrorKind::corrupt, "no outputs", model);
  model = file({node("Relu", {"x"}, {"y"})}, {2});
  model.graph.inputs.push_back(model.graph.inputs[0]);
  refused(ErrorKind::corrupt, "two inputs are named 'x'", model);
}

TEST(OnnxErrorsTest, NodesInAnyOrderAreSorted) {
  EXPECT_NO_THROW(read(file({node("Relu", {"h"}, {"y"}), node("Exp", {"x"}, {"h"})}, {2})));
}

TEST(OnnxErrorsTest, ShapesThatDoNotFitNameTheNode) {
  refused(ErrorKind::invalid, "'y_node' (MatMul, node 0, opset 17)",
          file({node("MatMul", {"x", "w"}, {"y"})}, {2, 4}, {{"w", floats({5, 6})}}));
  refused(ErrorKind::invalid, "cannot be reshaped",
          file({node("Reshape", {"x", "s"}, {"y"})}, {2, 4}, {{"s", integers({3, 3})}}));
  refused(ErrorKind::invalid, "axis 7",
          file({node("Softmax", {"x"}, {"y"}, {{"axis", int64_t{7}}})}, {2, 4}));
  refused(ErrorKind::unsupported, "must be known", file({node("Reshape", {"x", "x"}, {"y"})}, {2, 4}));
}

TEST(OnnxErrorsTest, Opsets) {
  refused(ErrorKind::unsupported, "opset 28 of ONNX, expected 7 to 27",
          file({node("Relu", {"x"}, {"y"})}, {2}, {}, 28));
  onnx::ModelDef model = file({node("Relu", {"x"}, {"y"})}, {2});
  model.opsets.clear();
  refused(ErrorKind::corrupt, "does not say which opset", model);
}

TEST(OnnxErrorsTest, DamagedBytes) {
  const std::string bytes =
      onnx::file_bytes(file({node("MatMul", {"x", "w"}, {"y"})}, {2, 4}, {{"w", floats({4, 6})}}));
  expect_error(ErrorKind::corrupt, "empty", [] { onnx::read_onnx("", "test.onnx", {}); });
  expect_error(ErrorKind::corrupt, "not an ONNX file",
               [] { onnx::read_onnx("no model at all", "test.onnx", {}); });
  for (size_t size = 1; size < bytes.size(); ++size) {
    try {
      onnx::read_onnx(std::string_view(bytes).substr(0, size), "test.onnx", {});
      ADD_FAILURE() << "cut to " << size << " bytes, and read";
    } catch (const Error& error) {
      EXPECT_NE(error.kind(), ErrorKind::internal) << error.what();
    }
  }
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    try {
      onnx::read_onnx(flipped, "test.onnx", {});
    } catch (const Error& error) {
      EXPECT_NE(error.kind(), ErrorKind::internal) << error.what();
    }
  }
}

TEST(OnnxErrorsTest, ExternalDataStayInTheFolderAndInTheFile) {
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "m.onnx").string();
  const Model model = read(file({node("MatMul", {"x", "w"}, {"y"})}, {2, 64}, {{"w", floats({64, 32})}}));
  write_model(model, path, {.external_over = 0});
  ASSERT_TRUE(std::filesystem::exists(path + ".data"));
  const Model again = read_model(path);
  EXPECT_EQ(to_doubles(again.parameters.at("w")), to_doubles(model.parameters.at("w")));
  EXPECT_TRUE(again.parameters.at("w").storage()->read_only);
  std::string bytes(MappedFile(path).text());
  std::filesystem::resize_file(path + ".data", 100);
  expect_error(ErrorKind::corrupt, "beyond the end of m.onnx.data", [&] { read_model(path); });
  bytes.replace(bytes.find("m.onnx.data"), 11, "../../etc/x");
  expect_error(ErrorKind::corrupt, "must lie in the model's folder",
               [&] { read_model(folder.write("out.onnx", bytes)); });
}

TEST(OnnxErrorsTest, FormatsAreChosenByEnding) {
  expect_error(ErrorKind::unsupported, ".onnx, .temper, .safetensors", [] { read_model("model.txt"); });
  expect_error(ErrorKind::not_found, "absent.onnx", [] { read_model("absent.onnx"); });
}

}  // namespace
}  // namespace temper
