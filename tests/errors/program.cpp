#include "errors/program.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "base/text.h"

namespace temper {

namespace fs = std::filesystem;

std::string ErrorsTest::bytes_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::string ErrorsTest::cut(const std::string& name, const fs::path& whole, double share) const {
  const std::string bytes = bytes_of(whole);
  return write(name, std::string_view(bytes).substr(
                         0, static_cast<size_t>(share * static_cast<double>(bytes.size()))));
}

std::string ErrorsTest::bmp(int side, unsigned char colour) {
  const auto number = [](int value, int bytes) {
    std::string text;
    for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 255);
    return text;
  };
  const std::string row(static_cast<size_t>(3 * side + 3) / 4 * 4, static_cast<char>(colour));
  std::string pixels;
  for (int i = 0; i < side; ++i) pixels += row;
  const int size = static_cast<int>(pixels.size());
  return concat("BM", number(54 + size, 4), number(0, 4), number(54, 4), number(40, 4), number(side, 4),
                number(side, 4), number(1, 2), number(24, 2), number(0, 4), number(size, 4),
                std::string(16, 0), pixels);
}

std::string ErrorsTest::photos(const std::string& folder, const std::vector<std::string>& names) const {
  for (size_t i = 0; i < names.size(); ++i) {
    for (const int each : {0, 1})
      write(concat(folder, "/", names[i], "/", each, ".bmp"),
            bmp(32, static_cast<unsigned char>(100 * i + 10)));
  }
  return in(folder);
}

std::string ErrorsTest::model() const {
  if (!fs::exists(in("model.onnx"))) {
    EXPECT_EQ(run(concat("convert mlp:12-4-2 ", in("model.onnx"))).code, 0);
  }
  return in("model.onnx");
}

std::string ErrorsTest::table() const {
  std::string text;
  for (int column = 0; column < 12; ++column) text += concat("f", column, ",");
  text += "label\n";
  for (int row = 0; row < 8; ++row) {
    for (int column = 0; column < 12; ++column) text += concat((row * column) % 5 + 1, ",");
    text += concat(row % 2 ? "odd" : "even", "\n");
  }
  return write("table.csv", text);
}

Outcome ErrorsTest::run(const std::string& words, const std::string& before) const {
  return run_shell(concat("cd ", folder_.path().string(), " && export TEMPER_CACHE=off && ", before, " && ",
                          TEMPER_PROGRAM, " ", words),
                   in("stderr.txt"));
}

void ErrorsTest::expect_refusal(int code, const std::string& words, const std::vector<std::string>& parts,
                                const std::string& before) const {
  const Outcome outcome = run(words, before);
  EXPECT_EQ(outcome.code, code) << words << "\n" << outcome.errors;
  EXPECT_EQ(std::ranges::count(outcome.errors, '\n'), 1) << words << "\n" << outcome.errors;
  EXPECT_THAT(outcome.errors, testing::StartsWith("temper ")) << words;
  for (const std::string& part : parts) EXPECT_THAT(outcome.errors, testing::HasSubstr(part)) << words;
  EXPECT_EQ(outcome.output, "") << words;
}

void ErrorsTest::expect_no_run(int code, const std::string& words,
                               const std::vector<std::string>& parts) const {
  expect_refusal(code, concat("tune ", words, " --quiet --out ", in("made/run")), parts);
  EXPECT_FALSE(fs::exists(in("made"))) << words;
}

}  // namespace temper
