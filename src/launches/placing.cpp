// Where buffers lie.
#include <algorithm>

#include "launches/plan.h"
#include "passes/passes.h"

namespace temper::launches {

namespace {

bool is(const Buffer& buffer, Buffer::Where where, int index) {
  return buffer.where == where && buffer.index == index;
}

// Whether the launch that writes into the memory of `argument` comes before another reads it.
bool overwrites(const Plan& plan, size_t writer, int output, int argument) {
  for (size_t reader = writer; reader < plan.launches.size(); ++reader) {
    const Launch& launch = plan.launches[reader];
    for (int input = 0; input < launch.reads; ++input) {
      if (!is(plan.buffers[static_cast<size_t>(launch.buffers[static_cast<size_t>(input)])], Buffer::argument,
              argument))
        continue;
      if (reader > writer ||
          std::ranges::find(launch.in_place, std::pair{input, output}) == launch.in_place.end())
        return true;
    }
  }
  return false;
}

// The result gets memory of its own, and is moved when all others are done.
void write_late(Plan& plan, int number, int result) {
  Buffer& buffer = plan.buffers[static_cast<size_t>(number)];
  const int64_t bytes = buffer.bytes;
  buffer.where = Buffer::arena;
  plan.buffers.push_back({.where = Buffer::result, .index = result, .bytes = bytes});
  Launch copy{.buffers = {number, static_cast<int>(plan.buffers.size()) - 1}, .reads = 1};
  copy.about = {.name = "donated", .kind = "copy", .bytes = 2 * bytes};
  plan.launches.push_back(std::move(copy));
}

void make_safe(Plan& plan, const Donation& donation) {
  for (size_t writer = 0; writer < plan.launches.size(); ++writer) {
    const Launch& launch = plan.launches[writer];
    for (int output = launch.reads; output < static_cast<int>(launch.buffers.size()); ++output) {
      const int written = launch.buffers[static_cast<size_t>(output)];
      if (!is(plan.buffers[static_cast<size_t>(written)], Buffer::result, donation.output)) continue;
      if (overwrites(plan, writer, output, donation.input)) return write_late(plan, written, donation.output);
    }
  }
}

}  // namespace

void place(Plan& plan, std::span<const Donation> donations) {
  for (const Donation& donation : donations) make_safe(plan, donation);
  for (size_t i = 0; i < plan.launches.size(); ++i)
    for (const int number : plan.launches[i].buffers) {
      Buffer& buffer = plan.buffers[static_cast<size_t>(number)];
      if (buffer.first < 0) buffer.first = static_cast<int>(i);
      buffer.last = static_cast<int>(i);
    }
  std::vector<Lifetime> lifetimes;
  std::vector<Buffer*> placed;
  for (Buffer& buffer : plan.buffers) {
    if (buffer.where != Buffer::arena || buffer.first < 0) continue;
    lifetimes.push_back({buffer.bytes, buffer.first, buffer.last});
    placed.push_back(&buffer);
  }
  const ArenaPlan arena = plan_arena(lifetimes);
  for (size_t i = 0; i < placed.size(); ++i) placed[i]->offset = arena.offsets[i];
  plan.arena_bytes = arena.bytes;
  plan.arena_floor = arena.floor;
}

}  // namespace temper::launches
