#pragma once
// What a device is known not to do: a file of two lists. `refused: OP / SAMPLE` is a sample that the device's
// claim refuses, `wrong: OP / SAMPLE` one that it computes otherwise; lines from `#` say why. A sample that
// is listed and passes is as wrong as one that fails and is not.
#include <filesystem>
#include <map>
#include <string>

namespace temper {

class ExpectedFailures {
 public:
  explicit ExpectedFailures(const std::filesystem::path& file);  // absent: nothing is expected to fail
  // `outcome`: empty if the sample passed; begins with "refused" if it was refused. What is wrong with it,
  // else empty.
  std::string judge(const std::string& sample, const std::string& outcome) const;

 private:
  std::map<std::string, std::string> list_of_;  // by sample: refused or wrong
};

}  // namespace temper
