#pragma once
// A command of the shell, and what came of it.
#include <string>

namespace temper {

struct Outcome {
  int code = -1;  // the exit code; -1 if a signal ended it
  std::string output, errors;
};

// Standard error goes through the file `errors`.
Outcome run_shell(const std::string& command, const std::string& errors);

}  // namespace temper
