#include "lanes.h"

#include <ucontext.h>

#include <csetjmp>
#include <memory>
#include <vector>

namespace temper::fake_cuda {

namespace {

constexpr size_t kStack = size_t{128} << 10;  // bytes

// A stack on which lanes run, one after the other until one waits; then it is that lane's.
struct Fibre {
  std::unique_ptr<char[]> stack;
  ucontext_t context;
  jmp_buf place;
  unsigned lane = 0;
};

struct Group {
  unsigned lanes = 0, next = 0;
  const std::function<void(unsigned)>* lane = nullptr;
  bool ended = false;  // the fibre that gave control back has no lane left
  Fibre* current = nullptr;
  jmp_buf scheduler;
  ucontext_t begin;
};
Group group;
std::vector<std::unique_ptr<Fibre>> idle;

void back_to_scheduler() {
  if (_setjmp(group.current->place) == 0) _longjmp(group.scheduler, 1);
}

void fibre_main() {
  for (;;) {
    while (group.next < group.lanes) {
      group.current->lane = group.next++;
      (*group.lane)(group.current->lane);
    }
    group.ended = true;
    back_to_scheduler();
  }
}

void enter(Fibre* fibre, bool begun) {
  group.current = fibre;
  group.ended = false;
  if (_setjmp(group.scheduler) != 0) return;
  if (begun) _longjmp(fibre->place, 1);
  getcontext(&fibre->context);
  fibre->context.uc_stack.ss_sp = fibre->stack.get();
  fibre->context.uc_stack.ss_size = kStack;
  fibre->context.uc_link = nullptr;
  makecontext(&fibre->context, fibre_main, 0);
  setcontext(&fibre->context);
}

}  // namespace

void run_group(unsigned lanes, const std::function<void(unsigned)>& lane,
               const std::function<void(unsigned)>& again) {
  group.lanes = lanes;
  group.next = 0;
  group.lane = &lane;
  std::vector<std::unique_ptr<Fibre>> waiting;
  while (group.next < lanes) {
    const bool begun = !idle.empty();
    std::unique_ptr<Fibre> fibre;
    if (begun) {
      fibre = std::move(idle.back());
      idle.pop_back();
    } else {
      fibre = std::make_unique<Fibre>();
      fibre->stack.reset(new char[kStack]);
    }
    enter(fibre.get(), begun);
    (group.ended ? idle : waiting).push_back(std::move(fibre));
  }
  while (!waiting.empty()) {
    std::vector<std::unique_ptr<Fibre>> met;
    met.swap(waiting);
    for (std::unique_ptr<Fibre>& fibre : met) {
      again(fibre->lane);
      enter(fibre.get(), true);
      (group.ended ? idle : waiting).push_back(std::move(fibre));
    }
  }
}

void wait() { back_to_scheduler(); }

}  // namespace temper::fake_cuda
