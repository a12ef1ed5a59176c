#include "train/recipe.h"

#include <gmock/gmock.h>

#include <functional>

namespace temper {
namespace {

using testing::HasSubstr;

std::string error_of(const std::function<void()>& function) {
  try {
    function();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid);
    return error.what();
  }
  return "no error";
}

Recipe least() {
  Recipe recipe;
  recipe.model = "mlp:784-128-10";
  recipe.data = "mnist";
  return recipe;
}

TEST(Recipe, RoundTripsEveryOption) {
  Recipe recipe;
  for (const RecipeField& field : recipe_fields()) {
    std::visit(
        [&](auto member) {
          using Member = decltype(member);
          if constexpr (std::is_same_v<Member, std::string Recipe::*>) recipe.*member = "a \"b\"\\ \n #c";
          if constexpr (std::is_same_v<Member, double Recipe::*>) recipe.*member = 1.0 / 3;
          if constexpr (std::is_same_v<Member, std::optional<double> Recipe::*>) recipe.*member = 1e-5;
          if constexpr (std::is_same_v<Member, int64_t Recipe::*>) recipe.*member = int64_t{1} << 53 | 1;
          if constexpr (std::is_same_v<Member, bool Recipe::*>) recipe.*member = true;
        },
        field.member);
  }
  Recipe read = parse_recipe(to_toml(recipe));
  read.given.clear();
  read.out = recipe.out, read.resume = read.overwrite = true;  // never written
  EXPECT_EQ(read, recipe);
}

TEST(Recipe, WritesOnlyWhatIsDecided) {
  Recipe recipe = least();
  EXPECT_THAT(to_toml(recipe), Not(HasSubstr("lr =")));
  recipe.lr = 1e-3;
  EXPECT_THAT(to_toml(recipe), HasSubstr("lr = 0.001\n"));
  EXPECT_THAT(to_toml(recipe), HasSubstr("model = "));
}

TEST(Recipe, ReadsUnits) {
  const Recipe recipe = parse_recipe("max-time = '1.5h'\nmemory = \"2G\"\nlr = 1\nnesterov = true\n");
  EXPECT_EQ(recipe.max_time, 5400);
  EXPECT_EQ(recipe.memory, int64_t{2} << 30);
  EXPECT_EQ(recipe.lr, 1.0);
  EXPECT_TRUE(recipe.nesterov);
}

TEST(Recipe, NamesTheMistake) {
  EXPECT_EQ(error_of([] { parse_recipe("epochs = 3\nlerning-rate = 1\n", "r.toml"); }),
            "r.toml, line 2: there is no option \"lerning-rate\"");
  EXPECT_THAT(error_of([] { parse_recipe("optimiser = 'sgd'", "r.toml"); }),
              HasSubstr("did you mean \"optimizer\"?"));
  EXPECT_THAT(error_of([] { parse_recipe("epochs = ", "r.toml"); }), HasSubstr("r.toml, line 1, column"));
  EXPECT_THAT(error_of([] { parse_recipe("[tune]\nepochs = 3"); }),
              HasSubstr("line 1: tune: expected a text, a number or a flag"));
  EXPECT_THAT(error_of([] { parse_recipe("lr = [1, 2]"); }),
              HasSubstr("lr: expected a text, a number or a flag"));
  EXPECT_THAT(error_of([] { parse_recipe("epochs = 1.5"); }),
              HasSubstr("epochs: expected a whole number, found \"1.5\""));
  EXPECT_THAT(error_of([] { parse_recipe("resume = 'maybe'"); }),
              HasSubstr("resume: expected true or false"));
  EXPECT_THAT(error_of([] { parse_recipe("max-time = '10 weeks'"); }),
              HasSubstr("max-time: expected a time"));
  EXPECT_THAT(error_of([] { parse_recipe("memory = '1e30'"); }), HasSubstr("memory: expected bytes"));
  EXPECT_THAT(error_of([] { parse_recipe("lr = nan"); }), HasSubstr("lr: expected a number"));
}

TEST(Recipe, ChecksChoicesAndRanges) {
  const auto mistake = [](std::string_view name, std::string_view text) {
    Recipe recipe = least();
    set(recipe, name, text);
    return error_of([&] { check(recipe); });
  };
  check(least());
  EXPECT_EQ(mistake("optimizer", "sdg"),
            "optimizer: expected one of sgd, adam, adamw, rmsprop, adagrad, found \"sdg\"");
  EXPECT_EQ(mistake("batch", "0"), "batch: expected between 1 and 1e+06, found \"0\"");
  EXPECT_EQ(mistake("clip-norm", "-1"), "clip-norm: expected at least 0, found \"-1\"");
  EXPECT_EQ(mistake("lr", "0"), "lr: expected more than 0, found \"0\"");
  EXPECT_EQ(mistake("monitor", "val.f1"),
            "monitor: expected one of val.loss, val.accuracy, train.loss, train.accuracy, found \"val.f1\"");
  EXPECT_EQ(mistake("data", ""), "data: is missing; say it as an option or in the recipe");
  EXPECT_EQ(mistake("nesterov", ""), "nesterov: needs optimizer sgd with a momentum above 0");
  EXPECT_EQ(mistake("momentum", "0.9"), "momentum: optimizer adam has none; sgd and rmsprop do");
  EXPECT_EQ(mistake("schedule", "step:3:0.1"), "no error");  // its own parser speaks
}

TEST(Recipe, ResumeKeepsTheOptionsOfTheRun) {
  Recipe stored = least();
  stored.lr = 1e-3, stored.batch = 64, stored.epochs = 10;
  Recipe now;
  set(now, "epochs", "20");
  set(now, "threads", "1");
  now.resume = true;
  const Recipe both = resumed(stored, now);
  EXPECT_EQ(both.batch, 64);
  EXPECT_EQ(both.epochs, 20);
  EXPECT_EQ(both.threads, 1);
  EXPECT_EQ(both.lr, 1e-3);
  set(now, "batch", "32");  // the default, but given
  set(now, "lr", "0.001");
  now.optimizer = "sgd";
  const std::string message = error_of([&] { resumed(stored, now); });
  EXPECT_THAT(message, HasSubstr("batch (was 64, now 32)"));
  EXPECT_THAT(message, HasSubstr("optimizer (was adam, now sgd)"));
  EXPECT_THAT(message, Not(HasSubstr("lr (")));
}

}  // namespace
}  // namespace temper
