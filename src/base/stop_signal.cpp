#include "base/stop_signal.h"

#include <unistd.h>

#include <atomic>
#include <csignal>

namespace temper {
namespace {

std::atomic<int> received = 0;
static_assert(std::atomic<int>::is_always_lock_free);  // or a signal handler may not touch it

extern "C" void temper_on_stop_signal(int number) {
  if (received.exchange(number, std::memory_order_relaxed) != 0) _exit(128 + number);
}

}  // namespace

void catch_stop_signals() {
  struct sigaction action = {};
  action.sa_handler = temper_on_stop_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int stop_signal() { return received.load(std::memory_order_relaxed); }

void forget_stop_signal() { received = 0; }

}  // namespace temper
