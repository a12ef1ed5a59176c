#pragma once
// The program itself, run on bad input.
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "support/data.h"
#include "support/program.h"
#include "support/temporary_folder.h"

namespace temper {

class ErrorsTest : public testing::Test {
 protected:
  std::string in(const std::string& name) const { return (folder_.path() / name).string(); }
  std::string write(const std::string& name, std::string_view bytes) const {
    return folder_.write(name, bytes);
  }
  std::string cut(const std::string& name, const std::filesystem::path& whole, double share) const;
  static std::string bytes_of(const std::filesystem::path& file);

  // A picture of one colour, and folders `names` in in(folder) with two of them each.
  static std::string bmp(int side, unsigned char colour);
  std::string photos(const std::string& folder, const std::vector<std::string>& names) const;
  std::string model() const;  // an ONNX file: 12 numbers in, 2 scores out
  std::string table() const;  // a CSV for it

  // Runs `temper WORDS` by a shell that does `before` first.
  Outcome run(const std::string& words, const std::string& before = "true") const;

  // It ends with `code`, says one line on standard error, which holds `parts`, and nothing on standard
  // output.
  void expect_refusal(int code, const std::string& words, const std::vector<std::string>& parts,
                      const std::string& before = "true") const;
  // Also, tune leaves nothing of its run.
  void expect_no_run(int code, const std::string& words, const std::vector<std::string>& parts) const;

  TemporaryFolder folder_;
};

}  // namespace temper
