#include <gtest/gtest.h>

#include <cmath>

#include "report/progress.h"
#include "report/table.h"
#include "temper/error.h"

namespace temper {
namespace {

TEST(Table, AlignsNumbersRightAndTextLeft) {
  TextTable table({"class", "samples"});
  table.row({"größe", "7"});
  table.row({"hat", "1,200"});
  EXPECT_EQ(table.text(),
            "class  samples\n"
            "─────  ───────\n"
            "größe        7\n"
            "hat      1,200\n");
}

TEST(Bar, FillsByEighthsOfACharacter) {
  EXPECT_EQ(bar(0, 4), "░░░░");
  EXPECT_EQ(bar(1, 4), "████");
  EXPECT_EQ(bar(0.53125, 4), "██▏░");
  EXPECT_EQ(bar(std::nan(""), 2), "░░");
  EXPECT_EQ(display_width(bar(0.3, 20)), 20);
}

TEST(Units, AreReadable) {
  EXPECT_EQ(byte_text(999), "999 B");
  EXPECT_EQ(byte_text(13970000), "14.0 MB");
  EXPECT_EQ(count_text(2257984), "2,257,984");
  EXPECT_EQ(count_text(-1000), "-1,000");
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(percent_text(0.8167), "81.7 %");
  EXPECT_EQ(duration_text(0.00042), "0.4 ms");
  EXPECT_EQ(duration_text(0.0123), "12 ms");
  EXPECT_EQ(duration_text(200), "3 min 20 s");
  EXPECT_EQ(clock_text(3723), "1:02:03");
  EXPECT_EQ(short_number(0.53219), "0.5322");
  EXPECT_EQ(short_number(1.2e-5), "1.20e-05");
}

TEST(Progress, NamesTheChoices) {
  EXPECT_EQ(progress_style("plain"), ProgressStyle::plain);
  try {
    progress_style("fancy");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid);
    EXPECT_STREQ(error.what(), "--progress: expected auto, bar, plain, json or none, found 'fancy'");
  }
}

TEST(Progress, PrintsJsonLinesForEveryPhase) {
  testing::internal::CaptureStderr();
  {
    Progress progress(ProgressStyle::json);
    progress.update("epoch 1/2", 4, 4, {{"loss", 0.5}});
  }
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(text.starts_with(R"({"phase":"epoch 1/2","done":4,"total":4,"seconds":)")) << text;
  EXPECT_TRUE(text.ends_with("\"loss\":0.5}\n")) << text;
}

}  // namespace
}  // namespace temper
