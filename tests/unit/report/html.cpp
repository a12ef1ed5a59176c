#include "report/html.h"

#include <gtest/gtest.h>

#include <cmath>

namespace temper {
namespace {

TEST(Html, EscapesWhatComesFromFiles) {
  Report report;
  report.title = "<script>alert(1)</script>";
  report.facts = {{"Model", "a\"b&c"}};
  const std::string page = render_html(report);
  EXPECT_EQ(page.find("<script>"), std::string::npos);
  EXPECT_NE(page.find("a&quot;b&amp;c"), std::string::npos);
}

TEST(Html, ShowsEveryPart) {
  Report report;
  report.plots = {{"Loss", {{"train", {1, 0.5}}}, 1}};
  report.labels = {"cat", "dog"};
  report.confusion = {{3, 1}, {0, 4}};
  report.samples = {{"x.jpg", "cat", "dog", 0.7, ""}};
  const std::string page = render_html(report);
  for (const char* part : {"<svg", "Loss", "<table class=confusion>", ">3</td>", "is cat", "70.0 %"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
  EXPECT_EQ(page.find("http"), std::string::npos);
}

TEST(Svg, LeavesGapsWhereValuesAreNotFinite) {
  const std::string picture = render_svg({"Loss", {{"val", {1, std::nan(""), 2, 3}}}}, 480, 260);
  EXPECT_EQ(picture.find("nan"), std::string::npos);
  const size_t path = picture.find("<path d=\"M");
  ASSERT_NE(path, std::string::npos);
  EXPECT_NE(picture.find('M', path + 10), std::string::npos);  // the pen is lifted over the gap
}

TEST(Svg, DrawsConstantAndEmptyCurves) {
  EXPECT_EQ(render_svg({"Loss", {{"val", {2, 2}}}}, 480, 260).find("nan"), std::string::npos);
  EXPECT_EQ(render_svg({"Loss", {}}, 480, 260).find("inf"), std::string::npos);
}

TEST(Base64, MatchesRfc4648) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xff\xfe\xfd"), "//79");
}

}  // namespace
}  // namespace temper
