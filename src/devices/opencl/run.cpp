#include "devices/opencl/run.h"

#include <chrono>

namespace temper::opencl {

namespace {

Place further(Place place, int64_t bytes) {
  return {place.memory, place.offset + static_cast<uint64_t>(bytes)};
}

bool same(const Place& a, const Place& b) { return a.memory == b.memory && a.offset == b.offset; }

}  // namespace

PlanConstants::PlanConstants(const std::shared_ptr<Driver>& driver, const Plan& plan) {
  for (const Tensor& constant : plan.constants) {
    values.push_back(std::make_unique<Memory>(driver, constant.bytes()));
    driver->write(constant.data(), {values.back()->get(), 0}, constant.bytes());
  }
  for (const Launch& launch : plan.launches) {
    bodies.emplace_back();
    if (!launch.control) continue;
    for (const Plan& body : launch.control->bodies) bodies.back().emplace_back(driver, body);
  }
}

PlanState::PlanState(const Driver& driver, const BuiltProgram* program, const KernelTable& kernels,
                     const Plan& plan, const PlanConstants& constants)
    : driver_(driver), plan_(plan), constants_(constants) {
  for (size_t i = 0; i < plan.launches.size(); ++i) {
    const Launch& launch = plan.launches[i];
    kernels_.push_back(launch.kernel < 0 ? nullptr : program->make_kernel(kernels.name(launch.kernel)));
    bodies_.emplace_back();
    for (size_t k = 0; launch.control && k < launch.control->bodies.size(); ++k)
      bodies_.back().push_back(std::make_unique<PlanState>(
          driver, program, kernels, launch.control->bodies[k], constants.bodies[i][k]));
    const auto first = static_cast<uint32_t>(2 * launch.buffers.size());
    for (uint32_t k = 0; k < launch.numbers.size(); ++k)
      driver.check(
          driver.api().clSetKernelArg(kernels_.back(), first + k, sizeof(int64_t), &launch.numbers[k]),
          "take a kernel's numbers");
  }
}

PlanState::~PlanState() {
  for (CKernel* const kernel : kernels_)
    if (kernel) driver_.api().clReleaseKernel(kernel);
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
      return {constants_.values[index]->get(), 0};
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
    driver_.finish();
    ++measured_[i].runs;
    measured_[i].seconds += std::chrono::duration<double>(Clock::now() - begin).count();
  }
}

void PlanState::start(size_t number, std::span<const Place> places) {
  const Launch& launch = plan_.launches[number];
  if (launch.control) return run_control(number, places);
  if (launch.kernel < 0) {
    if (!same(places[0], places[1]))
      driver_.copy(places[0], places[1], plan_.buffers[static_cast<size_t>(launch.buffers[0])].bytes);
    return;
  }
  if (launch.groups == 0) return;
  for (uint32_t i = 0; i < places.size(); ++i) {
    const Api& api = driver_.api();
    driver_.check(api.clSetKernelArg(kernels_[number], 2 * i, sizeof(CMemory*),
                                     static_cast<const void*>(&places[i].memory)),
                  "take a kernel's memory");
    driver_.check(api.clSetKernelArg(kernels_[number], 2 * i + 1, sizeof(uint64_t), &places[i].offset),
                  "take a kernel's memory");
  }
  driver_.launch(kernels_[number], launch.groups, launch.lanes);
}

bool PlanState::holds(Place verdict) const {
  unsigned char value = 0;
  driver_.read(verdict, &value, 1);
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
      return scan(control, bodies, in, out, scratch);
    case Control::while_loop:
      return loop(control, bodies, in, out, scratch);
  }
}

// Carries are written in turn to the result and to a second memory, so that the last round writes the result.
void PlanState::scan(const Control& control, std::vector<std::unique_ptr<PlanState>>& bodies,
                     std::span<const Place> in, std::span<const Place> out, Place scratch) {
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
    bodies[0]->run(arguments, results, arena);
    for (size_t i = 0; i < control.carries; ++i) arguments[i] = results[i];
  }
  for (size_t i = 0; control.length == 0 && i < control.carries; ++i)
    driver_.copy(in[i], out[i], control.input_bytes[i]);
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
    if (!same(arguments[i], out[i])) driver_.copy(arguments[i], out[i], control.input_bytes[i]);
}

}  // namespace temper::opencl
