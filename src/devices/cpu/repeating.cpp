#include "devices/cpu/repeating.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "devices/cpu/placing.h"
#include "passes/recompute.h"
#include "target/cost.h"

namespace temper::cpu {

namespace {

int64_t bytes_of(const Argument& port) { return stored_bytes(port.type, port.layout); }

// Arguments, and results that do not lie in a donated one.
int64_t bytes_outside(const Signature& signature, std::span<const Donation> donations) {
  int64_t bytes = 0;
  for (const auto* ports : {&signature.inputs, &signature.outputs})
    for (const Argument& port : *ports) bytes += bytes_of(port);
  for (const Donation& donation : donations)
    bytes -= bytes_of(signature.outputs[static_cast<size_t>(donation.output)]);
  return bytes;
}

std::vector<int> each_once(std::span<const int> numbers) {
  std::vector<int> result;
  for (const int number : numbers)
    if (std::ranges::find(result, number) == result.end()) result.push_back(number);
  return result;
}

std::span<const int> inputs_of(const Launch& launch) {
  return std::span(launch.buffers).first(static_cast<size_t>(launch.inputs));
}

Schedule schedule_of(const Plan& plan, size_t arguments, std::span<const Donation> donations) {
  const std::vector<int> overwriting = overwriting_launches(plan, arguments, donations);
  Schedule schedule;
  for (const Buffer& buffer : plan.buffers) {
    ScheduleValue& value = schedule.values.emplace_back();
    value.bytes = (buffer.bytes + 63) / 64 * 64;
    value.temporary = buffer.where == Buffer::arena;
    if (buffer.where == Buffer::argument) value.overwritten = overwriting[static_cast<size_t>(buffer.index)];
  }
  for (const Launch& launch : plan.launches) {
    ScheduleStep& step = schedule.steps.emplace_back();
    step.reads = each_once(inputs_of(launch));
    step.writes = each_once(std::span(launch.buffers).subspan(static_cast<size_t>(launch.inputs)));
    for (const auto& [from, to] : launch.in_place)
      step.in_place.emplace_back(launch.buffers[static_cast<size_t>(from)],
                                 launch.buffers[static_cast<size_t>(to)]);
    step.cost = nominal_work(launch.about.flops, launch.about.bytes);
  }
  return schedule;
}

// The plan with the runs of `recomputation`, not placed.
Plan repeated(const Plan& plan, const Schedule& schedule, const Recomputation& recomputation) {
  Plan result{.buffers = plan.buffers, .constants = plan.constants};
  for (const int value : recomputation.copies)
    result.buffers.push_back(
        {.where = Buffer::arena, .bytes = plan.buffers[static_cast<size_t>(value)].bytes});
  std::vector<int> now(plan.buffers.size());  // by buffer of `plan`, within one launch
  for (const StepRun& run : recomputation.runs) {
    Launch& launch = result.launches.emplace_back(plan.launches[static_cast<size_t>(run.step)]);
    launch.about.again = run.again;
    const ScheduleStep& step = schedule.steps[static_cast<size_t>(run.step)];
    for (size_t i = 0; i < step.reads.size(); ++i) now[static_cast<size_t>(step.reads[i])] = run.reads[i];
    for (int i = 0; i < launch.inputs; ++i) {
      int& buffer = launch.buffers[static_cast<size_t>(i)];
      buffer = now[static_cast<size_t>(buffer)];
    }
    for (size_t i = 0; i < step.writes.size(); ++i) now[static_cast<size_t>(step.writes[i])] = run.writes[i];
    for (size_t i = static_cast<size_t>(launch.inputs); i < launch.buffers.size(); ++i)
      launch.buffers[i] = now[static_cast<size_t>(launch.buffers[i])];
  }
  return result;
}

// What takes most of the arena when most of it is in use.
std::string largest_tensors(const Plan& plan) {
  constexpr size_t kNamed = 3;
  const auto lives = [](const Buffer& buffer, int launch) {
    return buffer.where == Buffer::arena && buffer.first <= launch && launch <= buffer.last;
  };
  int busiest = 0;
  int64_t most = -1;
  for (int i = 0; i < static_cast<int>(plan.launches.size()); ++i) {
    int64_t bytes = 0;
    for (const Buffer& buffer : plan.buffers) bytes += lives(buffer, i) ? buffer.bytes : 0;
    if (bytes > most) most = bytes, busiest = i;
  }
  std::vector<const Buffer*> living;
  for (const Buffer& buffer : plan.buffers)
    if (lives(buffer, busiest)) living.push_back(&buffer);
  std::ranges::stable_sort(living, std::ranges::greater(), &Buffer::bytes);
  std::vector<std::string> names;
  for (const Buffer* buffer : std::span(living).first(std::min(kNamed, living.size()))) {
    const LaunchProfile& about = plan.launches[static_cast<size_t>(buffer->first)].about;
    names.push_back(concat(about.name, " (", about.kind, ") ", buffer->bytes, " bytes"));
  }
  return join(names, ", ");
}

}  // namespace

void fit_memory(Plan& plan, const Signature& signature, std::span<const Donation> donations, int64_t limit) {
  const Plan plain = limit > 0 ? plan : Plan();  // placing adds to it
  place(plan, donations);
  const int64_t outside = bytes_outside(signature, donations), plain_bytes = plan.arena_bytes;
  plan.plain_arena_bytes = plain_bytes;
  if (limit <= 0 || outside + plain_bytes <= limit) return;
  const Schedule schedule = schedule_of(plain, signature.inputs.size(), donations);
  recomputations(schedule, [&](const Recomputation& way) {
    Plan candidate = repeated(plain, schedule, way);
    place(candidate, donations);
    candidate.plain_arena_bytes = plain_bytes;
    if (candidate.arena_bytes < plan.arena_bytes) plan = std::move(candidate);
    return outside + plan.arena_bytes <= limit;
  });
  if (outside + plan.arena_bytes <= limit) return;
  throw MemoryRefused(limit, outside + plan.arena_bytes, largest_tensors(plan));
}

}  // namespace temper::cpu
