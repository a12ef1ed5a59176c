// Command lines and recipes that cannot be.
#include "base/text.h"
#include "errors/program.h"

namespace temper {
namespace {

using OptionErrorsTest = ErrorsTest;

TEST_F(OptionErrorsTest, Names) {
  expect_refusal(2, "tume", {"'tume'", "did you mean tune?"});
  expect_refusal(2, "train", {"'train'", "did you mean tune?"});
  expect_refusal(2, "tune cnn --hed gap", {"--hed", "did you mean --head?"});
  expect_refusal(2, "devices --xyzzy", {"unknown option --xyzzy (see temper devices --help)"});
  expect_refusal(2, "tune cnn --epochs 1 --epochs 2", {"--epochs is given twice"});
}

TEST_F(OptionErrorsTest, Values) {
  const std::string job = concat(model(), " --data ", table(), " ");
  for (const auto& [words, part] : {std::pair{"--epochs -1", "epochs: expected between 1"},
                                    {"--epochs many", "epochs: expected a whole number, found \"many\""},
                                    {"--lr nan", "lr: expected a number, found \"nan\""},
                                    {"--lr -1", "lr: expected between 0"},
                                    {"--batch 0", "batch: expected between 1"},
                                    {"--optimizer adan", "optimizer: "},
                                    {"--loss mes", "loss: "},
                                    {"--head gap,dens", "head: step \"dens\": did you mean dense?"},
                                    {"--head dense:x", "head: step \"dense:x\""},
                                    {"--trainable [", "trainable: "},
                                    {"--cut nowhere --head dense", "nowhere"},
                                    {"--shape 3", "shape: expected NAME=1x3x224x224"},
                                    {"--shape other=1x12", "no input is named 'other'"},
                                    {"--val-split 2", "val-split"},
                                    {"--memory lots", "memory"}})
    expect_no_run(2, job + words, {part});
  expect_no_run(2, model(), {"data: is missing"});
  expect_no_run(2, concat("cnn --preprocess tff --data ", photos("photos", {"cat", "dog"})),
                {"'tff'", "did you mean 'tf'?"});
}

TEST_F(OptionErrorsTest, Integers) {
  expect_no_run(2, concat(model(), " --precision int8 --data ", table()),
                {"precision: expected one of f32, bf16, f16, found \"int8\""});
  expect_refusal(1, "bench cnn --train --precision int8 --quiet",
                 {"precision: int8 is for inference, a training step has none"});
  expect_refusal(2, concat("eval cnn --quiet --precision int8 --data ", photos("photos", {"cat", "dog"})),
                 {"int8 takes its ranges from samples; give some with --calibrate D"});
  expect_refusal(1, "bench cnn --quiet --precision int8 --calibrate /nowhere", {"/nowhere"});
  expect_refusal(2, "inspect cnn --quiet --precision int4", {"precision: expected f32, bf16, f16 or int8"});
}

TEST_F(OptionErrorsTest, Devices) {
  expect_no_run(4, concat(model(), " --device cuda --data ", table()), {"cuda"});
  expect_refusal(4, concat("bench ", model(), " --device cuda"), {"cuda"});
  const std::string none = "export TEMPER_PJRT_PATH=/nowhere PATH=/bin";
  expect_refusal(4, concat("bench ", model(), " --device pjrt:nosuch"),
                 {"no PJRT plug-in for `nosuch` was found", "looked in TEMPER_PJRT_PATH: /nowhere"}, none);
  expect_no_run(4, concat(model(), " --device pjrt:/nowhere/plugin.so --data ", table()),
                {"there is no PJRT plug-in '/nowhere/plugin.so'"});
  expect_refusal(4, concat("bench ", model(), " --device pjrt:", write("plugin.so", "text")),
                 {"is not a PJRT plug-in"});
  expect_refusal(4, concat("bench ", model(), " --device cpu:1"), {"there is no `cpu:1`"});
}

TEST_F(OptionErrorsTest, SeveralDevices) {
  const auto tune = [&](int code, const std::string& device, const std::string& part) {
    expect_no_run(code, concat(model(), " --device ", device, " --data ", table()), {part});
  };
  tune(4, "frozen=cpu,head=nosuch", "there is no device `nosuch`");
  tune(4, "frozen=cpu:1,head=cpu", "there is no `cpu:1`");
  tune(2, "frozen=cpu,body=cpu", "expected frozen=D,head=E, found `body=cpu`");
  tune(2, "cpu,head=cpu", "expected frozen=D,head=E, found `cpu`");
  tune(2, "frozen=cpu", "`frozen=cpu` says nothing of head");
  tune(2, "frozen=cpu,head=cpu,head=null", "the role `head` is given twice");
  tune(2, "frozen=null,head=cpu", "this recipe has no frozen part, for all parameters train (trainable all)");
  tune(2, "cpu+null", "`cpu+null` shares samples among devices, which eval, predict and run can");
  expect_refusal(2, concat("bench ", model(), " --device frozen=cpu,head=null"),
                 {"roles, which only tune has"});
  const std::string eval = concat("eval ", model(), " --quiet --data ", table(), " --device ");
  expect_refusal(2, eval + "frozen=cpu,head=null", {"roles, which only tune has"});
  expect_refusal(2, eval + "cpu+cpu", {"`cpu+cpu` names cpu twice"});
  expect_refusal(4, eval + "cpu+nosuch", {"there is no device `nosuch`"});
}

TEST_F(OptionErrorsTest, Recipes) {
  const auto tune = [&](int code, const std::string& text, const std::vector<std::string>& parts) {
    expect_no_run(code,
                  write("recipe.toml", concat("model = \"", model(), "\"\ndata = \"", table(), "\"\n", text)),
                  parts);
  };
  tune(2, "hed = \"gap\"\n", {"recipe.toml, line 3", "\"hed\"", "did you mean \"head\"?"});
  tune(2, "epochs = \"many\"\n", {"recipe.toml, line 3", "epochs"});
  tune(2, "epochs = \n", {"recipe.toml, line 3"});
  expect_no_run(1, "absent.toml", {"absent.toml"});
}

// Json objects of errors name the file and the node.
TEST_F(OptionErrorsTest, AsJson) {
  const std::string file =
      write("bad.onnx", bytes_of(in_repository("tests/fuzz/corpus/onnx/error_unknown_operator")));
  const Outcome outcome = run(concat("inspect ", file, " --json"));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.output,
              testing::MatchesRegex(concat(
                  "\\{\"command\":\"inspect\"[^\n]*\"error\":\\{\"kind\":\"unsupported\",[^\n]*\"file\":\"",
                  file, "\",\"node\":\"[^\n]+\"\\}\\}\n")));
}

}  // namespace
}  // namespace temper
