#include "model/preprocess.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace temper {
namespace {

std::string again(std::string_view text, int height = 0, int width = 0) {
  const Preprocess parsed = parse_preprocess(text, height, width);
  EXPECT_EQ(parse_preprocess(to_string(parsed), 0, 0), parsed) << text;
  return to_string(parsed);
}

TEST(Preprocess, PrintsWhatItParses) {
  for (const char* text : {"size:224x192", "short:256,crop:224", "gray,unit,mean:0.1307,std:0.3081",
                           "crop:10x20,bgr,mean:103.939/116.779/123.68,std:57.5", "size:32x32,unit"}) {
    EXPECT_EQ(again(text), text);
  }
  EXPECT_EQ(again(" short:8 , unit"), "short:8,unit");
}

TEST(Preprocess, PresetsFollowTheInputSize) {
  const std::string torch = ",unit,mean:0.485/0.456/0.406,std:0.229/0.224/0.225";
  EXPECT_EQ(again("torch", 224, 224), "short:256,crop:224" + torch);
  EXPECT_EQ(again("torch", 32, 32), "short:36,crop:32" + torch);
  EXPECT_EQ(again("torch", 224, 112), "size:256x128,crop:224x112" + torch);
  EXPECT_EQ(again("tf", 96, 128), "size:96x128,mean:127.5,std:127.5");
  EXPECT_EQ(again("caffe", 224, 224), "size:224x224,bgr,mean:103.939/116.779/123.68");
  EXPECT_EQ(again("raw", 28, 28), "size:28x28");
  EXPECT_TRUE(parse_preprocess("raw", 0, 0).steps.empty());
  expect_error(ErrorKind::invalid, "'tf' needs a fixed input size", [] { parse_preprocess("tf", 0, 0); });
}

TEST(Preprocess, KnowsItsChannels) {
  EXPECT_EQ(channels(parse_preprocess("gray,unit", 0, 0)), 1);
  EXPECT_EQ(channels(parse_preprocess("unit", 0, 0)), 3);
}

TEST(Preprocess, RefusesByName) {
  const auto refuses = [](std::string_view text, const std::string& part) {
    expect_error(ErrorKind::invalid, part, [&] { parse_preprocess(text, 224, 224); });
  };
  refuses("", "step '': unknown; the steps are");
  refuses("grey", "did you mean 'gray'");
  refuses("torhc", "did you mean 'torch'");
  refuses("size:8x8,torch", "a preset stands alone");
  refuses("size:224", "expected HEIGHTxWIDTH");
  refuses("short:8x8", "expected one size");
  refuses("size:0x3", "from 1 to 16384, found '0'");
  refuses("crop:99999", "found '99999'");
  refuses("short", "needs a value");
  refuses("unit:3", "takes no value");
  refuses("mean:1/2", "one number or three, found 2");
  refuses("mean:1/x/3", "found 'x'");
  refuses("mean:nan", "found 'nan'");
  refuses("unit,unit", "'unit' stands twice");
  refuses("std:0.5", "put 'unit' before it");
  refuses("std:0", "above 0");
  refuses("mean:3,gray", "put it before mean and std");
  refuses("gray,bgr", "no channels to swap");
  refuses("gray,mean:1/2/3", "takes one number");
}

}  // namespace
}  // namespace temper
