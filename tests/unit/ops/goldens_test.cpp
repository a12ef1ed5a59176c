// The evaluations against numbers that NumPy and PyTorch gave (tests/golden/ops/make.py).
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "ops/interpreter/interpret.h"
#include "ops/registry.h"
#include "tensor/compare.h"

namespace temper {
namespace {

struct Golden {
  std::string name, text;
};

std::vector<Golden> goldens() {
  std::ifstream file(TEMPER_SOURCE_DIR "/tests/golden/ops/goldens.txt");
  std::vector<Golden> cases;
  for (std::string line; std::getline(file, line);) {
    if (starts_with(line, "# ")) {
      cases.push_back({line.substr(2), ""});
    } else if (!cases.empty()) {
      cases.back().text += line + "\n";
    }
  }
  return cases;
}

TEST(Goldens, AreMet) {
  const std::vector<Golden> cases = goldens();
  ASSERT_GE(cases.size(), 80U);
  for (const Golden& golden : cases) {
    SCOPED_TRACE(golden.name);
    const std::vector<Tensor> outputs = interpret(parse_graph(golden.text), {});
    ASSERT_EQ(outputs.size() % 2, 0U);
    for (size_t i = 0; i < outputs.size(); i += 2) {
      std::string why;
      EXPECT_TRUE(close(outputs[i], outputs[i + 1], 1e-13, 1e-14, &why)) << why;
    }
  }
}

}  // namespace
}  // namespace temper
