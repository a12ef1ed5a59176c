#pragma once
// Which device is best for a purpose, from what is known of each.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace temper {

enum class Goal { time, energy, money, memory };
Goal parse_goal(std::string_view word);  // Error invalid names those that there are
std::string_view to_string(Goal goal);

struct Candidate {
  enum Source { measured, predicted, estimated } source = estimated;
  std::string device;
  std::optional<double> step_seconds, joules_per_sample, money_per_million;  // none: not known
  double samples_per_second = 0;                                             // 0: not known
  int64_t memory_bytes = 0, memory_limit = 0;                                // 0: not known
  std::string energy_source, energy_why;                                     // why_: why there is none
  std::string why;  // it cannot be chosen: absent, refused; or what the numbers come from

  bool fits() const { return memory_limit <= 0 || memory_bytes <= memory_limit; }
};
std::string_view to_string(Candidate::Source source);

struct Choice {
  int candidate = -1;    // none: no candidate can be chosen
  std::string evidence;  // one sentence
};

// The best of those that are here (estimated ones are not), fit and have a number for the goal; of equal ones
// the faster. The sentence names the next best, and the best of those that are not here if it were better.
Choice choose(const std::vector<Candidate>& candidates, Goal goal);

}  // namespace temper
