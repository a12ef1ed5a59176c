#include "reference.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace temper {
namespace {

TEST(OpsReference, IsCurrent) {
  std::ifstream file(TEMPER_SOURCE_DIR "/docs/ops.md");
  std::ostringstream committed;
  committed << file.rdbuf();
  EXPECT_TRUE(committed.str() == ops_reference())
      << "docs/ops.md is out of date: run write_ops_reference docs/ops.md (it is built beside this test)";
}

}  // namespace
}  // namespace temper
