#include "devices/cpu/placing.h"

#include <algorithm>
#include <numeric>

#include "devices/cpu/onednn.h"
#include "passes/passes.h"

namespace temper::cpu {

namespace {

class Placer {
 public:
  Placer(Plan& plan, const std::vector<Sharing>& sharing) : plan_(plan), sharing_(sharing) {}

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

  bool may_share(int launch, int input, int output) const {
    return std::binary_search(sharing_.begin(), sharing_.end(), Sharing{launch, input, output});
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
        if (reader > writer || !may_share(writer, input, output)) return true;
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
    for (const Sharing& sharing : sharing_) {
      const Launch& launch = plan_.launches[static_cast<size_t>(sharing.launch)];
      const int output = launch.buffers[static_cast<size_t>(sharing.output)];
      const int input = memory_[static_cast<size_t>(launch.buffers[static_cast<size_t>(sharing.input)])];
      if (memory_[static_cast<size_t>(output)] != output || !fits(sharing, launch, input, output)) continue;
      memory_[static_cast<size_t>(output)] = input;
      buffer(input).last = buffer(output).last;
    }
  }

  bool fits(const Sharing& sharing, const Launch& launch, int input, int output) {
    const Buffer &from = buffer(input), &to = buffer(output);
    if (from.where != Buffer::arena || to.where != Buffer::arena || from.bytes != to.bytes) return false;
    if (from.last != sharing.launch || to.first != sharing.launch) return false;
    // Every other operand in that memory must be one the kernel may overwrite too.
    for (int position = 0; position < static_cast<int>(launch.buffers.size()); ++position) {
      if (position == sharing.input ||
          memory_[static_cast<size_t>(launch.buffers[static_cast<size_t>(position)])] != input)
        continue;
      if (position >= launch.inputs || !may_share(sharing.launch, position, sharing.output)) return false;
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
  }

  Plan& plan_;
  const std::vector<Sharing>& sharing_;
  std::vector<int> memory_;
};

}  // namespace

void place(Plan& plan, const std::vector<Sharing>& sharing, std::span<const Donation> donations) {
  Placer(plan, sharing).place(donations);
}

}  // namespace temper::cpu
