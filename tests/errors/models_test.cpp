// Files that are no models, or damaged ones.
#include <filesystem>
#include <random>

#include "base/text.h"
#include "errors/program.h"

namespace temper {
namespace {

using ModelErrorsTest = ErrorsTest;

std::filesystem::path corpus(const std::string& name) { return in_repository("tests/fuzz/corpus/" + name); }

TEST_F(ModelErrorsTest, FilesThatAreNoOnnx) {
  expect_refusal(1, "inspect absent.onnx", {"absent.onnx", "neither a file nor one of"});
  expect_refusal(1, "inspect resnet19", {"resnet19", "did you mean resnet18?"});
  expect_refusal(1, concat("inspect ", write("empty.onnx", "")), {"empty.onnx", "empty"});
  expect_refusal(1, concat("inspect ", cut("cut.onnx", model(), 0.5)), {"cut.onnx", "damaged"});
  expect_refusal(1, concat("inspect ", write("picture.onnx", bmp(32, 9))),
                 {"picture.onnx", "not an ONNX file"});
  expect_refusal(1, concat("inspect ", photos("folder", {"cat"})), {in("folder"), "holds no model.onnx"});
}

TEST_F(ModelErrorsTest, OnnxThatMakesNoSense) {
  for (const auto& [name, part] :
       {std::pair{"error_cycle", "node 'a' (Add, node 0) is in a cycle"},
        {"error_huge_input", "input 'x' has shape [1125899906842624, 4]"},
        {"error_missing_input", "node 'y' (Add, node 0, opset 17): input 1 is missing"},
        {"error_unknown_operator", "the operator is not known"}}) {
    const std::string file = write(concat(name, ".onnx"), bytes_of(corpus(concat("onnx/", name))));
    expect_refusal(1, concat("inspect ", file), {file, part});
    expect_refusal(1, concat("convert ", file, " ", in("out.onnx")), {file, part});
    EXPECT_FALSE(std::filesystem::exists(in("out.onnx")));
  }
}

// Whatever bits a damaged file has flipped, it is read, or refused with a line.
TEST_F(ModelErrorsTest, FlippedBits) {
  const std::string whole = bytes_of(model());
  std::mt19937 random(1);
  for (int round = 0; round < 24; ++round) {
    std::string damaged = whole;
    for (int bit = 0; bit < 8; ++bit)
      damaged[random() % damaged.size()] ^= static_cast<char>(1 << random() % 8);
    const std::string file = write("flipped.onnx", damaged);
    const Outcome outcome = run(concat("inspect ", file));
    if (outcome.code == 0) continue;
    EXPECT_EQ(outcome.code, 1) << round << outcome.errors;
    EXPECT_EQ(std::ranges::count(outcome.errors, '\n'), 1) << round << outcome.errors;
    EXPECT_THAT(outcome.errors, testing::HasSubstr(file)) << round;
  }
}

TEST_F(ModelErrorsTest, Weights) {
  const std::string overlap = write("overlap.safetensors", bytes_of(corpus("safetensors/error_overlap")));
  expect_refusal(1, concat("inspect ", overlap), {overlap, "tensors 'a' and 'b' overlap at byte 2"});
  expect_refusal(1, concat("inspect mlp:12-4-2 --weights ", overlap), {overlap, "overlap"});
  expect_refusal(1, "inspect mlp:12-4-2 --weights absent.safetensors", {"absent.safetensors"});
  const std::string code = write("code.pt", bytes_of(corpus("torch/error_global")));
  expect_refusal(1, concat("inspect mlp:12-4-2 --weights ", code), {code, "refers to"});
}

TEST_F(ModelErrorsTest, Conversions) {
  expect_refusal(1, concat("convert ", model(), " ", in("out.foo")), {"out.foo", "no model format", ".onnx"});
  expect_refusal(2, concat("convert ", model(), " ", in("out.onnx"), " --opset 99"),
                 {"opset 99", "13 to 21"});
  expect_refusal(2, concat("convert ", model(), " ", in("out.onnx"), " --precision f8"),
                 {"--precision", "f8"});
  expect_refusal(1, concat("convert ", model(), " ", in("no/out.onnx")), {in("no/out.onnx"), "No such file"});
  EXPECT_FALSE(std::filesystem::exists(in("out.onnx")));
  EXPECT_FALSE(std::filesystem::exists(in("no")));
}

}  // namespace
}  // namespace temper
