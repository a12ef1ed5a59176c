// The commands on XLA: the same results as on the processor, and nothing opened that was not asked for.
#include "pjrt_program.h"
#include "support/sanitizers.h"

namespace temper {
namespace {

using testing::HasSubstr;

TEST_F(PjrtProgram, TunesAndEvaluates) {
  const std::string data = concat(" --data ", shipped_data("mnist").string(), " --device ");
  const std::string tune =
      concat("tune mlp:784-32-10 --preprocess gray,unit --epochs 2 --val-split 0.1", data);
  const Json here = json(concat(tune, "cpu --out ", in("here"))),
             there = json(concat(tune, "pjrt:cpu --out ", in("xla")));
  EXPECT_EQ(there.at("device").text(), "pjrt:cpu");
  expect_same_training(here, there, {"train.loss", "val.loss", "test.loss"});
  const Json evaluated = json(concat("eval ", in("xla"), data, "pjrt:cpu"));
  EXPECT_NEAR(evaluated.at("accuracy").number(), there.find("test.accuracy")->number(), 1e-9);
}

TEST_F(PjrtProgram, IsComparedWithTheProcessor) {
  const std::string words =
      concat("eval mlp:784-32-10 --data ", shipped_data("mnist").string(), " --compare cpu,pjrt:cpu");
  const Json result = json(words);
  ASSERT_EQ(result.at("devices").items().size(), 2);
  const Json& there = result.at("devices").items()[1];
  EXPECT_EQ(there.at("device").text(), "pjrt:cpu");
  EXPECT_EQ(there.at("accuracy").number(), result.at("devices").items()[0].at("accuracy").number());
  EXPECT_EQ(there.at("label_agreement").number(), 1);
  EXPECT_LT(there.at("max_difference").number(), 1e-5);
  EXPECT_TRUE(there.at("first_difference").is_null());
  const Json strict = json(words + " --bound 0");
  EXPECT_GT(strict.at("devices").items()[1].at("first_difference").at("difference").number(), 0);
  EXPECT_THAT(temper(words).output, HasSubstr("no node is further from cpu than"));
}

// 1799 samples: the last batch of an epoch, 35, is no multiple of four devices.
TEST_F(PjrtProgram, TunesOnAllDevicesOfAPlugin) {
  const std::string data = concat(" --data ", shipped_data("mnist").string(), " --device ");
  const std::string tune = concat(
      "tune mlp:784-32-10 --preprocess gray,unit --epochs 2 --val-split 0.1005 --batch 36 --optimizer sgd "
      "--lr "
      "0.1",
      data);
  const Json one = json(concat(tune, "pjrt:cpu --out ", in("one"))),
             all = json(concat(tune, "pjrt:cpu:all --out ", in("all")));
  EXPECT_EQ(all.at("device").text(), "pjrt:cpu:all");
  for (const char* key : {"train.loss", "val.loss", "test.loss"})
    EXPECT_NEAR(all.find(key)->number(), one.find(key)->number(), 1e-4) << key;
  EXPECT_NEAR(all.find("test.accuracy")->number(), one.find("test.accuracy")->number(), 0.002);
  const Json plan = json("inspect mlp:784-32-10 --train --plan --batch 36 --device pjrt:cpu:all");
  EXPECT_EQ(plan.at("device").text(), "pjrt:cpu:all");
  EXPECT_GT(plan.at("memory").at("donated").integer(), 4 * (784 * 32 + 32 + 32 * 10 + 10));
}

TEST_F(PjrtProgram, PredictsAsTheProcessor) { expect_predicts_as_the_processor("pjrt:cpu"); }

TEST_F(PjrtProgram, EveryNodeRunsThere) {
  const Json plan = json("inspect cnn --train --plan --device pjrt:cpu");
  for (const Json& node : plan.at("nodes").items())
    EXPECT_NE(node.at("fate").text(), "refused") << node.dump();
  const Json bench = json("bench mlp:20-10-5 --train --device pjrt:cpu --duration 0.1");
  EXPECT_EQ(bench.at("device").text(), "pjrt:cpu");
}

TEST_F(PjrtProgram, TheFirstThatAnswersIsTaken) {
  const Outcome outcome = temper("bench mlp:20-10-5 --device pjrt:nosuch,cpu --duration 0.1 --json");
  EXPECT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_EQ(Json::parse(outcome.output).at("device").text(), "cpu");
  EXPECT_THAT(outcome.errors, HasSubstr("`pjrt:nosuch` does not answer, `cpu` is next: no PJRT plug-in"));
}

TEST_F(PjrtProgram, DevicesAreListed) {
  const Json devices = json("devices");
  bool found = false;
  for (const Json& device : devices.at("devices").items()) {
    if (device.at("name").text() != "pjrt:cpu") continue;
    found = true;
    EXPECT_TRUE(device.at("present").boolean());
  }
  EXPECT_TRUE(found) << devices.dump();
}

TEST_F(PjrtProgram, NothingIsOpenedUnlessAskedFor) {
  if (TEST_SANITIZED) GTEST_SKIP() << "skipped, because a sanitizer has its own loader";
  const std::string bench = "bench mlp:20-10-5 --duration 0.05 --json --device ",
                    predict = concat("predict ", mobilenet(), " ", dress(), kPhotos, "--json --device ");
  for (const std::string& words : {bench, predict}) {
    const std::string here = opened_by(words + "cpu");
    for (const char* vendor : {"pjrt", "libtpu", "libcuda", "libOpenCL"})
      EXPECT_THAT(here, testing::Not(HasSubstr(vendor))) << words;
    EXPECT_THAT(opened_by(words + "pjrt:cpu"), HasSubstr("xla_cpu_pjrt"));
  }
}

}  // namespace
}  // namespace temper
