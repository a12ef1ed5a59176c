#include "launches/run.h"

#include <chrono>

namespace temper::launches {

namespace {

Place further(Place place, int64_t bytes) {
  return {place.memory, place.offset + static_cast<uint64_t>(bytes)};
}

}  // namespace

PlanConstants::PlanConstants(Machine& machine, const void* device, const Plan& plan) {
  for (const Tensor& constant : plan.constants) {
    values.push_back(machine.make_tensor(constant.type(), device));
    machine.write(constant.data(), machine.place_of(values.back()), constant.bytes());
  }
  for (const Launch& launch : plan.launches) {
    bodies.emplace_back();
    if (!launch.control) continue;
    for (const Plan& body : launch.control->bodies) bodies.back().emplace_back(machine, device, body);
  }
}

PlanState::PlanState(const Machine& machine, const BuiltKernels* built, const KernelTable& kernels,
                     const Plan& plan, const PlanConstants& constants)
    : machine_(machine), plan_(plan), constants_(constants) {
  for (size_t i = 0; i < plan.launches.size(); ++i) {
    const Launch& launch = plan.launches[i];
    const bool computes = launch.kernel >= 0 || launch.call;
    const std::string name = launch.kernel < 0 ? "" : kernels.name(launch.kernel);
    ready_.push_back(computes ? machine.ready(built, name, launch) : nullptr);
    bodies_.emplace_back();
    for (size_t k = 0; launch.control && k < launch.control->bodies.size(); ++k)
      bodies_.back().push_back(std::make_unique<PlanState>(machine, built, kernels, launch.control->bodies[k],
                                                           constants.bodies[i][k]));
  }
}

void PlanState::set_profiling(bool on) {
  measured_.clear();
  if (on) measured_ = launches_of(plan_);
}

Place PlanState::place_of(const Buffer& buffer, std::span<const Place> arguments,
                          std::span<const Place> results, Place arena) const {
  const auto index = static_cast<size_t>(buffer.index);
  switch (buffer.where) {
    case Buffer::argument:
      return arguments[index];
    case Buffer::result:
      return results[index];
    case Buffer::constant:
      return machine_.place_of(constants_.values[index]);
    default:
      return further(arena, buffer.offset);
  }
}

void PlanState::run(std::span<const Place> arguments, std::span<const Place> results, Place arena) {
  using Clock = std::chrono::steady_clock;
  std::vector<Place> places;
  for (size_t i = 0; i < plan_.launches.size(); ++i) {
    places.clear();
    for (const int number : plan_.launches[i].buffers)
      places.push_back(place_of(plan_.buffers[static_cast<size_t>(number)], arguments, results, arena));
    const Clock::time_point begin = measured_.empty() ? Clock::time_point() : Clock::now();
    start(i, places);
    if (measured_.empty()) continue;
    machine_.finish();
    ++measured_[i].runs;
    measured_[i].seconds += std::chrono::duration<double>(Clock::now() - begin).count();
  }
}

void PlanState::start(size_t number, std::span<const Place> places) {
  const Launch& launch = plan_.launches[number];
  if (launch.control) return run_control(number, places);
  if (ready_[number]) return ready_[number]->start(places);
  if (places[0] != places[1])
    machine_.copy(places[0], places[1], plan_.buffers[static_cast<size_t>(launch.buffers[0])].bytes);
}

bool PlanState::holds(Place verdict) const {
  unsigned char value = 0;
  machine_.read(verdict, &value, 1);
  return value != 0;
}

void PlanState::run_control(size_t number, std::span<const Place> places) {
  const Control& control = *plan_.launches[number].control;
  auto& bodies = bodies_[number];
  const size_t inputs = control.input_bytes.size();
  const std::span<const Place> in = places.first(inputs),
                               out = places.subspan(inputs, control.output_bytes.size());
  const Place scratch = places.back(), arena = further(scratch, control.body_arena);
  switch (control.kind) {
    case Control::call:
      return bodies[0]->run(in, out, arena);
    case Control::cond:
      return bodies[holds(in[0]) ? 0 : 1]->run(in.subspan(1), out, arena);
    case Control::scan:
      return scan(control, *bodies[0], in, out, scratch);
    case Control::while_loop:
      return loop(control, bodies, in, out, scratch);
  }
}

// Carries are written in turn to the result and to a second memory, so that the last round writes the result.
void PlanState::scan(const Control& control, PlanState& body, std::span<const Place> in,
                     std::span<const Place> out, Place scratch) {
  const Place arena = further(scratch, control.body_arena);
  std::vector<Place> arguments(in.begin(), in.end()), results(out.begin(), out.end());
  for (int64_t round = 0; round < control.length; ++round) {
    const int64_t index = control.reverse ? control.length - 1 - round : round;
    const bool to_result = (control.length - 1 - round) % 2 == 0;
    for (size_t i = 0; i < control.carries; ++i)
      results[i] = to_result ? out[i] : further(scratch, control.second[i]);
    for (size_t i = control.carries; i < control.carries + control.sliced; ++i)
      arguments[i] = further(in[i], index * (control.input_bytes[i] / control.length));
    for (size_t i = control.carries; i < results.size(); ++i)
      results[i] = further(out[i], index * (control.output_bytes[i] / control.length));
    body.run(arguments, results, arena);
    for (size_t i = 0; i < control.carries; ++i) arguments[i] = results[i];
  }
  for (size_t i = 0; control.length == 0 && i < control.carries; ++i)
    machine_.copy(in[i], out[i], control.input_bytes[i]);
}

void PlanState::loop(const Control& control, std::vector<std::unique_ptr<PlanState>>& bodies,
                     std::span<const Place> in, std::span<const Place> out, Place scratch) {
  const Place arena = further(scratch, control.body_arena), verdict = further(scratch, control.verdict);
  std::vector<Place> arguments(in.begin(), in.end()), results(control.carries);
  for (bool to_result = true;; to_result = !to_result) {
    bodies[0]->run(arguments, {&verdict, 1}, arena);
    if (!holds(verdict)) break;
    for (size_t i = 0; i < control.carries; ++i)
      results[i] = to_result ? out[i] : further(scratch, control.second[i]);
    bodies[1]->run(arguments, results, arena);
    for (size_t i = 0; i < control.carries; ++i) arguments[i] = results[i];
  }
  for (size_t i = 0; i < control.carries; ++i)
    if (arguments[i] != out[i]) machine_.copy(arguments[i], out[i], control.input_bytes[i]);
}

}  // namespace temper::launches
