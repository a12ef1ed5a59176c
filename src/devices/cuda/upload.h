#pragma once
// What goes from the host to the GPU: through two pinned buffers in turn, on a stream of its own. While one
// is sent the other is filled, and what is computed later waits for it on the GPU, not on the host.
#include <array>

#include "devices/cuda/api.h"

namespace temper::cuda {

class Driver;

class Upload {
 public:
  explicit Upload(const Driver& driver);
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;
  ~Upload();

  void write(const void* from, Address to, int64_t bytes);  // `from` is free on return
  void zero(Address at, int64_t bytes);

 private:
  struct Half {
    void* memory = nullptr;
    CEvent* sent = nullptr;
  };
  void order_before_computing(const Half& half);
  Half& next();  // free to be filled

  const Driver& driver_;
  CStream* stream_ = nullptr;
  std::array<Half, 2> halves_;
  size_t turn_ = 0;
};

}  // namespace temper::cuda
