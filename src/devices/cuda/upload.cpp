#include "devices/cuda/upload.h"

#include <algorithm>
#include <cstring>

#include "devices/cuda/driver.h"

namespace temper::cuda {

static constexpr int64_t kHalf = int64_t{4} << 20;  // bytes

Upload::Upload(const Driver& driver) : driver_(driver) {
  const DriverApi& api = driver_.api();
  driver_.check(api.cuStreamCreate(&stream_, kNonBlockingStream), "make a stream");
  for (Half& half : halves_) {
    driver_.check(api.cuMemAllocHost_v2(&half.memory, static_cast<size_t>(kHalf)), "pin memory of the host");
    driver_.check(api.cuEventCreate(&half.sent, kEventWithoutTiming), "make an event");
  }
}

Upload::~Upload() {
  for (const Half& half : halves_)
    if (half.memory) driver_.api().cuMemFreeHost(half.memory);
}

Upload::Half& Upload::next() {
  Half& half = halves_[turn_];
  turn_ = 1 - turn_;
  driver_.check(driver_.api().cuEventSynchronize(half.sent), "take a tensor");
  return half;
}

void Upload::order_before_computing(const Half& half) {
  const DriverApi& api = driver_.api();
  driver_.check(api.cuEventRecord(half.sent, stream_), "take a tensor");
  driver_.check(api.cuStreamWaitEvent(driver_.stream(), half.sent, 0), "take a tensor");
}

void Upload::write(const void* from, Address to, int64_t bytes) {
  const auto* rest = static_cast<const std::byte*>(from);
  for (int64_t done = 0; done < bytes; done += kHalf) {
    const Driver::Turn turn = driver_.enter();
    const auto part = static_cast<size_t>(std::min(kHalf, bytes - done));
    const Half& half = next();
    std::memcpy(half.memory, rest + done, part);
    driver_.check(driver_.api().cuMemcpyHtoDAsync_v2(to + done, half.memory, part, stream_), "take a tensor");
    order_before_computing(half);
  }
}

void Upload::zero(Address at, int64_t bytes) {
  const Driver::Turn turn = driver_.enter();
  const Half& half = next();
  driver_.check(driver_.api().cuMemsetD8Async(at, 0, static_cast<size_t>(bytes), stream_), "fill a tensor");
  order_before_computing(half);
}

}  // namespace temper::cuda
