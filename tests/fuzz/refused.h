#pragma once
// What every fuzz target does with an error: our own faults go on up, the user's are what is wanted.
#include <cstdio>
#include <string>

#include "temper/error.h"

namespace temper {

// The replay prints what the reader says: check_corpus.py looks for each message.
inline void said([[maybe_unused]] const std::string& text) {
#ifdef TEMPER_REPLAY
  std::printf("  %s\n", text.c_str());
#endif
}

// To be called within a catch.
inline void refused(const Error& error) {
  if (error.kind() == ErrorKind::internal) throw;
  said(error.what());
}

}  // namespace temper
