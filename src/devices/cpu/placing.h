#pragma once
// Gives every buffer of a plan its place: in the arena, in a donated argument, in the memory of another.
#include "devices/cpu/plan.h"

namespace temper::cpu {

// A result that would overwrite a donated argument before its last reader goes through the arena.
void place(Plan& plan, std::span<const Donation> donations);

// The launch that writes each donated argument's memory, by argument; the number of launches where none does.
std::vector<int> overwriting_launches(const Plan& plan, size_t arguments,
                                      std::span<const Donation> donations);

}  // namespace temper::cpu
