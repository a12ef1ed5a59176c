#include "devices/cpu/placing.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "devices/cpu/onednn.h"
#include "passes/passes.h"

namespace temper::cpu {

namespace {

class Placer {
 public:
  explicit Placer(Plan& plan) : plan_(plan) {}

  void place(std::span<const Donation> donations) {
    for (const Donation& donation : donations) make_safe(donation);
    find_lifetimes();
    share_memory();
    lay_out();
  }

 private:
  Buffer& buffer(int number) { return plan_.buffers[static_cast<size_t>(number)]; }
  static bool is(const Buffer& buffer, Buffer::Where where, int index) {
    return buffer.where == where && buffer.index == index;
  }

  static bool may_share(const Launch& launch, int input, int output) {
    return std::ranges::binary_search(launch.in_place, std::pair{input, output});
  }

  // The result takes the argument's memory: its writer must come after every other reader of the argument.
  void make_safe(const Donation& donation) {
    const int launches = static_cast<int>(plan_.launches.size());
    for (int writer = 0; writer < launches; ++writer) {
      const Launch& launch = plan_.launches[static_cast<size_t>(writer)];
      for (int output = launch.inputs; output < static_cast<int>(launch.buffers.size()); ++output) {
        const int written = launch.buffers[static_cast<size_t>(output)];
        if (!is(buffer(written), Buffer::result, donation.output)) continue;
        if (overwrites(writer, output, donation.input)) return write_late(written, donation.output);
      }
    }
  }

  bool overwrites(int writer, int output, int argument) {
    for (int reader = writer; reader < static_cast<int>(plan_.launches.size()); ++reader) {
      const Launch& launch = plan_.launches[static_cast<size_t>(reader)];
      for (int input = 0; input < launch.inputs; ++input) {
        if (!is(buffer(launch.buffers[static_cast<size_t>(input)]), Buffer::argument, argument)) continue;
        if (reader > writer || !may_share(launch, input, output)) return true;
      }
    }
    return false;
  }

  void write_late(int number, int result) {
    buffer(number).where = Buffer::arena;
    const int64_t bytes = buffer(number).bytes;
    plan_.buffers.push_back({.where = Buffer::result, .index = result, .bytes = bytes});
    Launch copy{.kernel = make_reorder({DType::u8, {bytes}}, kRowMajor, kRowMajor),
                .buffers = {number, static_cast<int>(plan_.buffers.size()) - 1},
                .inputs = 1};
    copy.about = {.name = "donated", .kind = "copy", .bytes = 2 * bytes};
    plan_.launches.push_back(std::move(copy));
  }

  void find_lifetimes() {
    for (size_t i = 0; i < plan_.launches.size(); ++i)
      for (const int number : plan_.launches[i].buffers) {
        if (buffer(number).first < 0) buffer(number).first = static_cast<int>(i);
        buffer(number).last = static_cast<int>(i);
      }
    memory_.resize(plan_.buffers.size());
    std::iota(memory_.begin(), memory_.end(), 0);
  }

  // memory_[b]: the buffer whose memory b lies in; its `last` covers all that do.
  void share_memory() {
    for (int i = 0; i < static_cast<int>(plan_.launches.size()); ++i) {
      const Launch& launch = plan_.launches[static_cast<size_t>(i)];
      for (const auto& [from, to] : launch.in_place) {
        const int output = launch.buffers[static_cast<size_t>(to)];
        const int input = memory_[static_cast<size_t>(launch.buffers[static_cast<size_t>(from)])];
        if (memory_[static_cast<size_t>(output)] != output || !fits(i, from, to, input)) continue;
        memory_[static_cast<size_t>(output)] = input;
        buffer(input).last = buffer(output).last;
      }
    }
  }

  // Whether the output at position `to` may lie in the memory `input` of the one at position `from`.
  bool fits(int number, int from, int to, int input) {
    const Launch& launch = plan_.launches[static_cast<size_t>(number)];
    const Buffer &before = buffer(input), &after = buffer(launch.buffers[static_cast<size_t>(to)]);
    if (before.where != Buffer::arena || after.where != Buffer::arena || before.bytes != after.bytes)
      return false;
    if (before.last != number || after.first != number) return false;
    // Every other operand in that memory must be one the kernel may overwrite too.
    for (int position = 0; position < static_cast<int>(launch.buffers.size()); ++position) {
      if (position == from ||
          memory_[static_cast<size_t>(launch.buffers[static_cast<size_t>(position)])] != input)
        continue;
      if (position >= launch.inputs || !may_share(launch, position, to)) return false;
    }
    return true;
  }

  void lay_out() {
    std::vector<Lifetime> lifetimes;
    std::vector<int> numbers;
    for (int i = 0; i < static_cast<int>(plan_.buffers.size()); ++i) {
      const Buffer& own = buffer(i);
      if (own.where != Buffer::arena || own.first < 0 || memory_[static_cast<size_t>(i)] != i) continue;
      lifetimes.push_back({own.bytes, own.first, own.last});
      numbers.push_back(i);
    }
    const ArenaPlan arena = plan_arena(lifetimes);
    for (size_t i = 0; i < numbers.size(); ++i) buffer(numbers[i]).offset = arena.offsets[i];
    for (size_t i = 0; i < plan_.buffers.size(); ++i) plan_.buffers[i].offset = buffer(memory_[i]).offset;
    plan_.arena_bytes = arena.bytes;
    plan_.arena_floor = arena.floor;
  }

  Plan& plan_;
  std::vector<int> memory_;
};

}  // namespace

void place(Plan& plan, std::span<const Donation> donations) { Placer(plan).place(donations); }

std::vector<int> overwriting_launches(const Plan& plan, size_t arguments,
                                      std::span<const Donation> donations) {
  const int launches = static_cast<int>(plan.launches.size());
  std::map<int, int> writer;  // by result
  for (int i = 0; i < launches; ++i) {
    const Launch& launch = plan.launches[static_cast<size_t>(i)];
    for (size_t k = static_cast<size_t>(launch.inputs); k < launch.buffers.size(); ++k) {
      const Buffer& written = plan.buffers[static_cast<size_t>(launch.buffers[k])];
      if (written.where == Buffer::result) writer.emplace(written.index, i);
    }
  }
  std::vector<int> overwriting(arguments, launches);
  for (const Donation& donation : donations)
    if (const auto found = writer.find(donation.output); found != writer.end())
      overwriting[static_cast<size_t>(donation.input)] = found->second;
  return overwriting;
}

}  // namespace temper::cpu
