#include "support/program.h"

#include <sys/wait.h>

#include <cstdio>
#include <fstream>
#include <iterator>

namespace temper {

Outcome run_shell(const std::string& command, const std::string& errors) {
  Outcome outcome;
  FILE* pipe = popen((command + " 2>" + errors + " </dev/null").c_str(), "r");
  if (!pipe) return outcome;
  char part[4096];
  for (size_t size = 0; (size = fread(part, 1, sizeof part, pipe)) > 0;) outcome.output.append(part, size);
  const int status = pclose(pipe);
  if (WIFEXITED(status)) outcome.code = WEXITSTATUS(status);
  std::ifstream file(errors, std::ios::binary);
  outcome.errors = {std::istreambuf_iterator<char>(file), {}};
  return outcome;
}

}  // namespace temper
