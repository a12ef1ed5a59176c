#include <chrono>

#include "devices/cpu/plan.h"

namespace temper::cpu {

PlanState::PlanState(const Plan& plan) : plan_(plan) {
  for (const Launch& launch : plan.launches) {
    first_slot_.push_back(slots_.size());
    states_.push_back(launch.kernel->make_state());
    for (const int number : launch.buffers) {
      const Buffer& buffer = plan.buffers[static_cast<size_t>(number)];
      const Patch patch{slots_.size(), number};
      slots_.push_back(nullptr);
      if (buffer.where == Buffer::constant) {
        slots_.back() = plan.constants[static_cast<size_t>(buffer.index)].storage()->data;
      } else {
        (buffer.where == Buffer::arena ? from_arena_ : from_outside_).push_back(patch);
      }
    }
  }
}

void PlanState::set_profiling(bool on) {
  profile.clear();
  if (!on) return;
  for (const Launch& launch : plan_.launches) profile.push_back(launch.about);
}

void PlanState::run(void* const* arguments, void* const* results, std::byte* arena) {
  if (arena != arena_) {
    arena_ = arena;
    for (const Patch& patch : from_arena_)
      slots_[patch.slot] = arena + plan_.buffers[static_cast<size_t>(patch.buffer)].offset;
  }
  for (const Patch& patch : from_outside_) {
    const Buffer& buffer = plan_.buffers[static_cast<size_t>(patch.buffer)];
    slots_[patch.slot] = (buffer.where == Buffer::argument ? arguments : results)[buffer.index];
  }
  for (size_t i = 0; i < plan_.launches.size(); ++i) {
    void* const* buffers = slots_.data() + first_slot_[i];
    if (profile.empty()) {
      plan_.launches[i].kernel->run(buffers, states_[i].get());
    } else {
      const auto start = std::chrono::steady_clock::now();
      plan_.launches[i].kernel->run(buffers, states_[i].get());
      profile[i].seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      ++profile[i].runs;
    }
  }
}

}  // namespace temper::cpu
