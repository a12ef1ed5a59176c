#pragma once
// Gives every buffer of a plan its place: in the arena, in a donated argument, in the memory of another.
#include "devices/cpu/plan.h"

namespace temper::cpu {

// In this launch the output may lie where the input lies; positions in Launch::buffers.
struct Sharing {
  int launch, input, output;
  friend auto operator<=>(const Sharing&, const Sharing&) = default;
};

// `sharing` is sorted. A result that would overwrite a donated argument before its last reader goes through
// the arena.
void place(Plan& plan, const std::vector<Sharing>& sharing, std::span<const Donation> donations);

}  // namespace temper::cpu
