#pragma once
// The GPU that these tests run on, and what was asked of it.
#include <gtest/gtest.h>

#include "base/text.h"
#include "devices/cuda/cuda.h"
#include "support/cuda.h"

namespace temper::cuda {

// Nothing is kept on disk unless a test says where.
inline Device& fake_device() {
  setenv("TEMPER_CACHE", "off", 0);
  use_fake_cuda();
  register_device(cuda_device());
  return open_device("cuda");
}

inline int driver_calls(const char* name) { return fake_cuda_calls("libcuda.so.1", name); }

// An environment variable while it lives.
class Told {
 public:
  Told(const char* name, const std::string& value) : name_(name) { setenv(name, value.c_str(), 1); }
  Told(const Told&) = delete;
  Told& operator=(const Told&) = delete;
  ~Told() { unsetenv(name_); }

 private:
  const char* name_;
};

}  // namespace temper::cuda
