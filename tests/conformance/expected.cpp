#include "expected.h"

#include <fstream>

#include "base/text.h"

namespace temper {

ExpectedFailures::ExpectedFailures(const std::filesystem::path& file) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(": ");
    if (line.empty() || line[0] == '#' || colon == std::string::npos) continue;
    list_of_[line.substr(colon + 2)] = line.substr(0, colon);
  }
}

std::string ExpectedFailures::judge(const std::string& sample, const std::string& outcome) const {
  const std::string found = outcome.empty()                   ? "passed"
                            : starts_with(outcome, "refused") ? "refused"
                                                              : "wrong";
  const auto listed = list_of_.find(sample);
  const std::string expected = listed == list_of_.end() ? "passed" : listed->second;
  if (found == expected) return {};
  return concat("expected: ", expected, ", found: ", found,
                outcome.empty() ? "" : concat(" (", outcome, ")"));
}

}  // namespace temper
