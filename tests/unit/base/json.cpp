#include "base/json.h"

#include <gtest/gtest.h>

#include <cmath>

#include "temper/error.h"

namespace temper {
namespace {

TEST(Json, PrintsInOrderOnOneLine) {
  Json value;
  value["b"] = 1;
  value["a"] = Json::Array{true, nullptr, 0.5, "x\n\"y\""};
  EXPECT_EQ(value.dump(), R"({"b":1,"a":[true,null,0.5,"x\n\"y\""]})");
}

TEST(Json, NumbersThatAreNotFiniteAreNull) {
  EXPECT_EQ(Json(std::nan("")).dump(), "null");
  EXPECT_EQ(Json(INFINITY).dump(), "null");
}

TEST(Json, ReplacesBytesThatAreNotUtf8) {
  EXPECT_EQ(Json("a\xff\xc3\xa4").dump(), "\"a\xef\xbf\xbd\xc3\xa4\"");
}

TEST(Json, ParsesWhatItPrints) {
  const std::string text = R"({"a":{"b":[1,-2.5e30,"\u00e4"]},"c":false})";
  const Json value = Json::parse(text);
  EXPECT_EQ(value.find("a.b")->items().size(), 3U);
  EXPECT_EQ(Json::parse(value.dump()).dump(), value.dump());
  EXPECT_EQ(value.find("a.x"), nullptr);
}

TEST(Json, RefusesBrokenAndDeepText) {
  EXPECT_THROW(Json::parse("{\"a\":"), Error);
  EXPECT_THROW(Json::parse(std::string(100000, '[')), Error);
  EXPECT_THROW(Json::parse("[1] 2"), Error);
  EXPECT_THROW(Json::parse(R"({"a":1,"b":{"a":2},"a":3})"), Error);
  EXPECT_THROW(Json::parse("1").text(), Error);
}

}  // namespace
}  // namespace temper
