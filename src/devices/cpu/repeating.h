#pragma once
// Keeps a plan within a memory limit by launches that run again.
#include "devices/cpu/plan.h"

namespace temper::cpu {

// Places the plan. Where arguments, results and arena take more than `limit` bytes (0: none), launches whose
// results are not kept are repeated before these are read again: the cheapest way that fits. Error exhausted
// (MemoryRefused) if none does.
void fit_memory(Plan& plan, const Signature& signature, std::span<const Donation> donations, int64_t limit);

}  // namespace temper::cpu
