#pragma once
// Checks that a call throws an Error of a kind whose message holds some text.
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "temper/error.h"

namespace temper {

template <class Function>
void expect_error(ErrorKind kind, const std::string& part, Function&& function) {
  try {
    std::forward<Function>(function)();
    ADD_FAILURE() << "no error, expected one with: " << part;
  } catch (const Error& error) {
    EXPECT_EQ(to_string(error.kind()), to_string(kind)) << error.what();
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what() << "\nlacks: " << part;
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos)
        << "more than a line: " << error.what();
  }
}

}  // namespace temper
