#pragma once
// Comparison with the numbers of goldens.py.
#include <gtest/gtest.h>

#include "goldens.h"
#include "support/wave.h"

namespace temper {

inline void expect_golden(std::string_view name, const std::vector<double>& found, double tolerance) {
  const auto golden = kGoldens.find(name);
  ASSERT_NE(golden, kGoldens.end()) << name;
  ASSERT_EQ(found.size(), golden->second.size()) << name;
  for (size_t i = 0; i < found.size(); ++i)
    EXPECT_NEAR(found[i], golden->second[i], tolerance) << name << " at " << i;
}

}  // namespace temper
