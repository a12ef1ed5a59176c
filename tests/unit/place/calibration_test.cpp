#include "place/calibration.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>

#include "devices/null/null.h"
#include "place/probes.h"
#include "support/temporary_folder.h"
#include "temper/error.h"

namespace temper {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::ThrowsMessage;

class CalibrationTest : public testing::Test {
 protected:
  void SetUp() override { setenv("TEMPER_CACHE", folder_.path().c_str(), 1); }
  void TearDown() override { unsetenv("TEMPER_CACHE"); }

  // How many probes were run for it.
  int64_t probed(bool refresh = false) {
    int64_t count = 0;
    kept_calibration(*device_, 1, refresh, [&](int64_t, int64_t) { ++count; });
    return count;
  }
  fs::path file() const { return fs::directory_iterator(folder_.path() / "calibration")->path(); }

  TemporaryFolder folder_;
  std::unique_ptr<Device> device_ = null::null_device().open("");
};

TEST_F(CalibrationTest, IsMadeOnce) {
  const auto all = 2 * static_cast<int64_t>(probes().size());
  EXPECT_EQ(probed(), all);
  EXPECT_EQ(probed(), 0);
  EXPECT_EQ(probed(true), all) << "--refresh";
}

TEST_F(CalibrationTest, IsMadeAgainIfTheFileIsDamaged) {
  const auto all = 2 * static_cast<int64_t>(probes().size());
  ASSERT_EQ(probed(), all);
  std::ifstream in(file());
  const std::string whole{std::istreambuf_iterator<char>(in), {}};
  const size_t first = whole.find("\"measured\":") + 11;
  for (const std::string& damaged :
       {std::string(), whole.substr(0, whole.size() / 2), std::string("[1,2]"),
        whole.substr(0, first) + "{}}", whole.substr(0, first) + "7}", std::string(100'000, '[')}) {
    std::ofstream(file()) << damaged;
    testing::internal::CaptureStderr();
    EXPECT_EQ(probed(), all) << damaged.substr(0, 40);
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("is damaged"));
    EXPECT_EQ(probed(), 0) << "it was kept anew";
  }
}

TEST_F(CalibrationTest, NeedsNoPlaceToBeKept) {
  setenv("TEMPER_CACHE", "off", 1);
  EXPECT_GT(probed(), 0);
  EXPECT_GT(probed(), 0);
}

TEST(Calibration, ReadsWhatItWrote) {
  const Calibration before{.byte_seconds = {{1e4, 1e-11}, {1e6, 1e-10}},
                           .observations = {{{{.kind = "dot",
                                               .flops = 12,
                                               .functions = 3,
                                               .traffic = {{4, 5}},
                                               .place = {1, 2.5, -1},
                                               .rounds = 2}},
                                             1e-3}}};
  const Calibration after = parse_calibration(to_json(before));
  EXPECT_EQ(after.byte_seconds, before.byte_seconds);
  ASSERT_EQ(after.observations.size(), 1u);
  EXPECT_EQ(after.observations[0].seconds, 1e-3);
  const Work& work = after.observations[0].works.at(0);
  EXPECT_EQ(work.kind, "dot");
  EXPECT_EQ(work.flops, 12);
  EXPECT_EQ(work.functions, 3);
  EXPECT_EQ(work.traffic.at(0).distance, 5);
  EXPECT_EQ(work.place, (std::vector<double>{1, 2.5, -1}));
  EXPECT_EQ(work.rounds, 2);
}

TEST(Calibration, RefusesWhatCannotBe) {
  const std::string work =
      R"({"kind":"dot","flops":1,"functions":0,"traffic":[[4,5]],"place":[1],"rounds":1})";
  const auto json = [](const std::string& curve, const std::string& works, const std::string& seconds) {
    return R"({"byte_seconds":)" + curve + R"(,"observations":[{"seconds":)" + seconds + R"(,"works":)" +
           works + "}]}";
  };
  EXPECT_NO_THROW(parse_calibration(json("[[1,1]]", "[" + work + "]", "1")));
  for (const auto& [text, part] :
       {std::pair{json("[[2,1],[1,1]]", "[" + work + "]", "1"), "do not ascend"},
        {json("[[2,-1]]", "[" + work + "]", "1"), "not above 0"},
        {json("[[2]]", "[" + work + "]", "1"), "a pair is none"},
        {json("[[1,1]]", "[" + work + "]", "0"), "not above 0"},
        {json("[[1,1]]", "[" + work + "]", "null"), "not above 0"},
        {json("[[1,1]]", "[{}]", "1"), "work without a kind"},
        {json("[[1,1]]", "[3]", "1"), "work without a kind"},
        {json("[[1,1]]", R"([{"kind":"dot","flops":-1}])", "1"), "`flops`"},
        {json("[[1,1]]", "7", "1"), "`works` is not a list"},
        {json("[]", "[" + work + "]", "1"), "it holds no measurement"},
        {std::string(R"({"byte_seconds":[],"observations":[3]})"), "`works` is not a list"},
        {std::string("[]"), "`byte_seconds` is not a list"}})
    EXPECT_THAT([&] { parse_calibration(text); }, ThrowsMessage<Error>(HasSubstr(part))) << text;
}

}  // namespace
}  // namespace temper
