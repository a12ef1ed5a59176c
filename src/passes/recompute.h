#pragma once
// Which steps of a program to run again so that less memory is held at once (docs/adr/7-recomputation.md).
#include <cstdint>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

namespace temper {

struct ScheduleStep {
  std::vector<int> reads, writes;  // values, each once; no other step writes a value that this one writes
  // (read, written): the latter may lie where the former does if nobody reads that later.
  std::vector<std::pair<int, int>> in_place = {};
  double cost = 0;  // of one run, in any unit
};

struct ScheduleValue {
  int64_t bytes = 0;
  bool temporary = true;                              // false: has its own place for the whole run
  int overwritten = std::numeric_limits<int>::max();  // of those: the step in which what was there is lost
};

// Steps in the order in which they run; every temporary value is written before it is read.
struct Schedule {
  std::vector<ScheduleStep> steps;
  std::vector<ScheduleValue> values;
};

struct StepRun {
  int step = 0;
  bool again = false;
  // Parallel to the step's: the value itself, or a copy (see Recomputation::copies).
  std::vector<int> reads = {}, writes = {};
};

struct Recomputation {
  std::vector<StepRun> runs;
  std::vector<int> copies;  // copies[i]: the value of which number values.size() + i is a copy
  double cost = 0;          // of all runs that repeat a step
  int64_t peak = 0;         // bytes of temporary values at the busiest run
};

// Offers what can be had until `take` answers true, from every step once to the least memory that was found:
// cost rises, peak falls. A step that runs again reads the bits that it read before. What is offered depends
// on nothing but the schedule.
void recomputations(const Schedule& schedule, const std::function<bool(const Recomputation&)>& take);

}  // namespace temper
