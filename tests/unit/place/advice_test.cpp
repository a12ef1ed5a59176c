#include "place/advice.h"

#include <gmock/gmock.h>

#include "temper/error.h"

namespace temper {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;

Candidate here(std::string name, double seconds, std::optional<double> joules = {},
               std::optional<double> money = {}) {
  return {.source = Candidate::measured,
          .device = std::move(name),
          .step_seconds = seconds,
          .joules_per_sample = joules,
          .money_per_million = money,
          .memory_bytes = 100};
}

TEST(Goal, IsOneOfFour) {
  for (const char* word : {"time", "energy", "money", "memory"}) EXPECT_EQ(to_string(parse_goal(word)), word);
  EXPECT_THAT([] { parse_goal("mony"); },
              ThrowsMessage<Error>(AllOf(HasSubstr("expected time, energy, money or memory"),
                                         HasSubstr("\"mony\""), HasSubstr("did you mean money?"))));
  EXPECT_THAT([] { parse_goal(""); }, ThrowsMessage<Error>(HasSubstr("goal: expected")));
}

TEST(Choose, GoesByTheGoal) {
  const std::vector<Candidate> all = {here("cpu", 0.01, 5, 2), here("gpu", 0.001, 9, 7)};
  EXPECT_EQ(choose(all, Goal::time).candidate, 1);
  EXPECT_EQ(choose(all, Goal::energy).candidate, 0);
  EXPECT_EQ(choose(all, Goal::money).candidate, 0);
  EXPECT_EQ(choose(all, Goal::memory).candidate, 1) << "as much of it: the faster";
  EXPECT_EQ(choose(all, Goal::time).evidence,
            "gpu (1 ms a step, measured) is the best by time, before cpu (10 ms a step, measured)");
}

TEST(Choose, TakesNoneThatDoesNotFitOrIsNotKnown) {
  Candidate large = here("large", 0.001, 1);
  large.memory_limit = 99;
  Candidate absent{.device = "absent", .why = "no driver"};
  const std::vector<Candidate> all = {large, absent, here("cpu", 0.5)};
  EXPECT_EQ(choose(all, Goal::time).candidate, 2);
  const Choice none = choose(all, Goal::energy);
  EXPECT_EQ(none.candidate, -1);
  EXPECT_THAT(none.evidence, HasSubstr("no device that is here can be chosen by energy"));
  EXPECT_EQ(choose({}, Goal::time).candidate, -1);
}

// What is estimated is told, and never chosen.
TEST(Choose, DoesNotSendAway) {
  Candidate far = here("h100", 0.0001);
  far.source = Candidate::estimated;
  const Choice choice = choose({here("cpu", 0.5), far}, Goal::time);
  EXPECT_EQ(choice.candidate, 0);
  EXPECT_THAT(choice.evidence, HasSubstr("not here, but better: h100 (0.1 ms a step, estimated)"));
  far.step_seconds = 2;
  EXPECT_THAT(choose({here("cpu", 0.5), far}, Goal::time).evidence, Not(HasSubstr("h100")));
}

}  // namespace
}  // namespace temper
