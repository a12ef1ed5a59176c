// Several devices in one command: the frozen part on one and its head on another, samples shared out.
#include "base/file.h"
#include "data/npy.h"
#include "support/device_program.h"
#include "support/wave.h"

namespace temper {
namespace {

using testing::HasSubstr;

class UnlikeProgram : public DeviceProgram {
 protected:
  void SetUp() override { TEMPER_NEED_PJRT(); }

  static std::string clothing() { return shipped_data("clothing10").string(); }
  std::string tune(const std::string& out, const std::string& device, const std::string& more = "") const {
    return concat("tune ", mobilenet(), kPhotos,
                  "--head gap,dense --lr 1e-2 --epochs 3 --val-split 0.2 --data ", clothing(), " --out ",
                  in(out), " --device ", device, " ", more);
  }
  // The losses of all epochs, and the accuracy, as one device has them.
  void expect_as_one_device(const std::string& out, const std::string& frozen,
                            const std::string& head) const {
    const Json two = json(tune(out, concat("frozen=", frozen, ",head=", head))),
               one = json(tune("one_" + out, "cpu"));
    EXPECT_EQ(two.at("device").text(), head);
    EXPECT_EQ(two.at("frozen_device").text(), frozen);
    EXPECT_GT(two.find("seconds.overlapped")->number(), 0);
    EXPECT_EQ(Json::parse(MappedFile(in(out + "/result.json")).text()).at("frozen_device").text(), frozen);
    expect_same_training(one, two, {"train.loss", "val.loss", "test.loss"});
    EXPECT_NEAR(two.find("val.accuracy")->number(), one.find("val.accuracy")->number(), 0.005);
  }
};

TEST_F(UnlikeProgram, TunesWithTheFrozenPartOnXla) { expect_as_one_device("xla", "pjrt:cpu", "cpu"); }
TEST_F(UnlikeProgram, TunesWithTheHeadOnXla) { expect_as_one_device("xla", "cpu", "pjrt:cpu"); }
TEST_F(UnlikeProgram, TunesWithTheFrozenPartOnAllOfXla) {
  expect_as_one_device("all", "pjrt:cpu:all", "cpu");
}

TEST_F(UnlikeProgram, TunesWithTheFrozenPartOnOpencl) {
  TEMPER_NEED_OPENCL();
  expect_as_one_device("opencl", "opencl", "pjrt:cpu");
}

// A second run reads the features of the first, in whichever order it trains; another device has its own.
TEST_F(UnlikeProgram, FeaturesAreKeptForEachDevice) {
  const std::string again = "frozen features of ";
  const Outcome first = temper(tune("first", "frozen=pjrt:cpu,head=cpu", "--json")),
                second = temper(tune("second", "frozen=pjrt:cpu,head=cpu", "--json")),
                other = temper(tune("other", "cpu", "--json"));
  EXPECT_THAT(first.errors, testing::Not(HasSubstr(again)));
  EXPECT_THAT(second.errors, HasSubstr(again));
  EXPECT_THAT(other.errors, testing::Not(HasSubstr(again)));
  for (const char* key : {"train.loss", "val.loss", "test.loss"})
    EXPECT_EQ(Json::parse(first.output).find(key)->number(), Json::parse(second.output).find(key)->number());
}

TEST_F(UnlikeProgram, ARoleWithoutItsDeviceIsRefused) {
  const Outcome outcome = temper(tune("refused", "frozen=pjrt:nosuch,head=cpu"));
  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.errors, HasSubstr("no PJRT plug-in for `nosuch`"));
}

TEST_F(UnlikeProgram, EvaluatesOnSeveralDevices) {
  const std::string words =
      concat("eval mlp:784-32-10 --batch 8 --data ", shipped_data("mnist").string(), " --device ");
  const Json one = json(words + "cpu"), both = json(words + "cpu+pjrt:cpu");
  EXPECT_EQ(both.at("samples").integer(), one.at("samples").integer());
  EXPECT_EQ(both.at("accuracy").number(), one.at("accuracy").number());
  EXPECT_NEAR(both.at("loss").number(), one.at("loss").number(), 1e-6);
  const Outcome told = temper(words + "cpu+pjrt:cpu");
  EXPECT_THAT(told.errors, HasSubstr("batches by device: cpu "));
}

TEST_F(UnlikeProgram, ADeviceThatFailsIsNamed) {
  const std::string device = concat("pjrt:", TEMPER_FAILING_PLUGIN),
                    variables = concat("TEMPER_COUNTED_PLUGIN=", pjrt_cpu_plugin().string(),
                                       " TEMPER_FAILURE=lost:0");
  const Outcome outcome = temper(concat("eval mlp:784-32-10 --batch 1 --data ",
                                        shipped_data("mnist").string(), " --device cpu+", device),
                                 variables);
  EXPECT_EQ(outcome.code, 4) << outcome.errors;
  EXPECT_THAT(outcome.errors, HasSubstr(concat("device `", device, "`: ")));
  EXPECT_THAT(outcome.errors, HasSubstr("the device is gone"));
}

TEST_F(UnlikeProgram, PredictsOnSeveralDevicesInOrder) {
  const auto labels = [&](const std::string& device) {
    const Outcome outcome = temper(concat("predict ", mobilenet(), " ", clothing(), "/test", kPhotos,
                                          "--batch 4 --top 1 --json --device ", device));
    EXPECT_EQ(outcome.code, 0) << outcome.errors;
    std::vector<std::string> lines;
    for (const std::string_view line : split(outcome.output, '\n')) {
      if (line.empty()) continue;
      const Json prediction = Json::parse(line);
      lines.push_back(
          concat(prediction.at("file").text(), " ", prediction.at("top").items()[0].at("label").text()));
    }
    return lines;
  };
  const std::vector<std::string> one = labels("cpu");
  EXPECT_GT(one.size(), 20);
  EXPECT_EQ(labels("cpu+pjrt:cpu"), one);
  EXPECT_EQ(labels("pjrt:cpu:all"), one) << "shared out among the replicas";
}

TEST_F(UnlikeProgram, RunsOnSeveralDevices) {
  const Tensor x = wave({DType::f32, {37, 20}}, 1);
  write_npy(in("x.npy"), x);
  const auto run = [&](const std::string& device) {
    json(concat("run mlp:20-10-5 --input ", in("x.npy"), " --save ", in("out"), " --device ", device));
    return to_doubles(read_npy(in("out/output_0.npy")));
  };
  const std::vector<double> one = run("cpu"), both = run("cpu+pjrt:cpu");
  ASSERT_EQ(both.size(), 37 * 5);
  for (size_t i = 0; i < one.size(); ++i) EXPECT_NEAR(one[i], both[i], 1e-5);
}

}  // namespace
}  // namespace temper
