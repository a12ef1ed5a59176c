#include "place/advice.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/text.h"
#include "temper/error.h"

namespace temper {
namespace {

constexpr std::array<std::string_view, 4> kGoals = {"time", "energy", "money", "memory"};

std::string three_digits(double value) {
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.3g", value);
  return buffer.data();
}

// What is to be small; none: not known.
std::optional<double> cost(const Candidate& candidate, Goal goal) {
  switch (goal) {
    case Goal::time:
      return candidate.step_seconds;
    case Goal::energy:
      return candidate.joules_per_sample;
    case Goal::money:
      return candidate.money_per_million;
    case Goal::memory:
      return candidate.memory_bytes > 0 ? std::optional(static_cast<double>(candidate.memory_bytes))
                                        : std::nullopt;
  }
  return std::nullopt;
}

std::string cost_text(const Candidate& candidate, Goal goal) {
  const double value = cost(candidate, goal).value_or(0);
  switch (goal) {
    case Goal::time:
      return concat(three_digits(value * 1e3), " ms a step");
    case Goal::energy:
      return concat(three_digits(value), " J a sample");
    case Goal::money:
      return concat(three_digits(value), " for a million samples");
    case Goal::memory:
      return concat(three_digits(value * 1e-6), " MB");
  }
  return {};
}

std::string described(const Candidate& candidate, Goal goal) {
  return concat(candidate.device, " (", cost_text(candidate, goal), ", ", to_string(candidate.source), ")");
}

}  // namespace

Goal parse_goal(std::string_view word) {
  const auto found = std::ranges::find(kGoals, word);
  if (found != kGoals.end()) return static_cast<Goal>(found - kGoals.begin());
  const std::string near = closest(word, std::vector<std::string>(kGoals.begin(), kGoals.end()));
  throw Error(ErrorKind::invalid, concat("goal: expected time, energy, money or memory, found \"", word, "\"",
                                         near.empty() ? "" : concat("; did you mean ", near, "?")));
}

std::string_view to_string(Goal goal) { return kGoals[static_cast<size_t>(goal)]; }

std::string_view to_string(Candidate::Source source) {
  return source == Candidate::measured    ? "measured"
         : source == Candidate::predicted ? "predicted"
                                          : "estimated";
}

Choice choose(const std::vector<Candidate>& candidates, Goal goal) {
  std::vector<int> here, elsewhere;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& candidate = candidates[i];
    if (!candidate.step_seconds || !candidate.fits() || !cost(candidate, goal)) continue;
    (candidate.source == Candidate::estimated ? elsewhere : here).push_back(static_cast<int>(i));
  }
  const auto better = [&](int a, int b) {
    const Candidate &x = candidates[static_cast<size_t>(a)], &y = candidates[static_cast<size_t>(b)];
    return std::pair(*cost(x, goal), *x.step_seconds) < std::pair(*cost(y, goal), *y.step_seconds);
  };
  std::ranges::stable_sort(here, better);
  std::ranges::stable_sort(elsewhere, better);
  const auto text = [&](int i) { return described(candidates[static_cast<size_t>(i)], goal); };
  if (here.empty())
    return {-1, concat("no device that is here can be chosen by ", to_string(goal),
                       ": none fits and has a number for it",
                       elsewhere.empty() ? "" : concat("; elsewhere ", text(elsewhere[0])))};
  std::string evidence = concat(text(here[0]), " is the best by ", to_string(goal));
  if (here.size() > 1) evidence += concat(", before ", text(here[1]));
  if (!elsewhere.empty() && better(elsewhere[0], here[0]))
    evidence += concat("; not here, but better: ", text(elsewhere[0]));
  return {here[0], evidence};
}

}  // namespace temper
