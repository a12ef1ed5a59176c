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

std::vector<LaunchProfile> launches_of(const Plan& plan) {
  std::vector<LaunchProfile> list;
  for (const Launch& launch : plan.launches) {
    std::vector<LaunchProfile> inside = launch.kernel->launches();
    if (inside.empty()) inside.push_back(launch.about);
    for (LaunchProfile& about : inside) about.again = launch.about.again;
    list.insert(list.end(), inside.begin(), inside.end());
  }
  return list;
}

void PlanState::set_profiling(bool on) {
  measured_.clear();
  for (const auto& state : states_)
    if (state) state->set_profiling(on);
  if (!on) return;
  for (const Launch& launch : plan_.launches) measured_.push_back(launch.about);
}

std::vector<LaunchProfile> PlanState::profile() const {
  std::vector<LaunchProfile> list;
  for (size_t i = 0; i < measured_.size(); ++i) {
    std::vector<LaunchProfile> inside;
    if (states_[i]) inside = states_[i]->profile();
    if (inside.empty()) inside.push_back(measured_[i]);
    list.insert(list.end(), inside.begin(), inside.end());
  }
  return list;
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
    if (measured_.empty()) {
      plan_.launches[i].kernel->run(buffers, states_[i].get());
    } else {
      const auto start = std::chrono::steady_clock::now();
      plan_.launches[i].kernel->run(buffers, states_[i].get());
      measured_[i].seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      ++measured_[i].runs;
    }
  }
}

}  // namespace temper::cpu
