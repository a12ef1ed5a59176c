#include "place/prices.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>

#include "place/published.h"
#include "support/temporary_folder.h"
#include "temper/error.h"

namespace temper {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

class PricesTest : public testing::Test {
 protected:
  void SetUp() override { setenv("XDG_CONFIG_HOME", (folder_.path() / "config").c_str(), 1); }
  void TearDown() override { unsetenv("XDG_CONFIG_HOME"); }

  TemporaryFolder folder_;
};

TEST_F(PricesTest, WhatTemperBringsHasUnitAndDate) {
  const Prices prices = read_prices("");
  EXPECT_EQ(prices.unit, "USD per hour");
  EXPECT_FALSE(prices.date.empty());
  EXPECT_TRUE(prices.of("cpu"));
  EXPECT_EQ(prices.of("pjrt:cpu:2"), prices.of("pjrt"));
  EXPECT_FALSE(prices.of("abacus"));
  EXPECT_EQ(prices.file, "");
  // No price is of a device that nobody knows.
  for (const auto& [name, price] : prices.per_hour) {
    const bool published =
        std::ranges::any_of(published_devices(), [&](const auto& d) { return d.name == name; });
    EXPECT_TRUE(published || name == "cpu" || name == "opencl" || name == "pjrt" || name == "tpu") << name;
  }
}

TEST_F(PricesTest, OneFileLiesOverTheOther) {
  folder_.write("config/temper/prices.toml", "date = \"2026-01\"\n[prices]\ncpu = 1\nmine = 4\n");
  const std::string file =
      folder_.write("p.toml", "unit = \"EUR per hour\"\n[prices]\ncpu = 2.5\n\"pjrt:cpu\" = 3\n");
  const Prices prices = read_prices(file);
  EXPECT_EQ(prices.unit, "EUR per hour");
  EXPECT_EQ(prices.date, "2026-01");
  EXPECT_EQ(prices.of("cpu"), 2.5);
  EXPECT_EQ(prices.of("mine"), 4);
  EXPECT_EQ(prices.of("pjrt:cpu"), 3);
  EXPECT_TRUE(prices.of("h100")) << "from what temper brings";
  EXPECT_EQ(prices.file, file);
}

TEST_F(PricesTest, SaysWhatIsWrongAndWhere) {
  for (const auto& [text, part] :
       {std::pair{"[prices]\ncpu = -1\n", "line 2: prices.cpu: expected a number from 0"},
        {"[prices]\ncpu = \"much\"\n", "prices.cpu: expected a number from 0"},
        {"[prices]\ncpu = nan\n", "prices.cpu: expected a number from 0"},
        {"[prices]\ncpu = true\n", "prices.cpu: expected a number from 0"},
        {"cpu = 1\n", "line 1: unknown key \"cpu\"; known are unit, date and the table [prices]"},
        {"prices = 1\n", "unknown key \"prices\""},
        {"unit = 3\n", "unit: expected a text in quotes"},
        {"[prices\n", "line 1, column"},
        {"\x01\x02", "line 1"}}) {
    const std::string file = folder_.write("p.toml", text);
    EXPECT_THAT([&] { read_prices(file); }, ThrowsMessage<Error>(AllOf(HasSubstr(file), HasSubstr(part))))
        << text;
  }
  EXPECT_THAT([&] { read_prices((folder_.path() / "none.toml").string()); },
              ThrowsMessage<Error>(HasSubstr("there is no file of prices")));
}

TEST(Published, EachHasASourceAndAYear) {
  for (const PublishedDevice& device : published_devices()) {
    EXPECT_THAT(std::string(device.source), HasSubstr("(20")) << device.name;
    EXPECT_GT(device.f32_flops, 0) << device.name;
    EXPECT_GT(device.bytes_per_second, 0) << device.name;
    EXPECT_GT(device.memory_bytes, 0) << device.name;
  }
}

TEST(Published, EstimatesGoByArithmeticOrMemory) {
  const PublishedDevice device{.name = "d", .f32_flops = 1e12, .bf16_flops = 4e12, .bytes_per_second = 1e11};
  const std::vector<Work> counts = {{.kind = "dot", .flops = 4e11}},
                          moves = {{.kind = "map", .traffic = {{7e10, 7e10}}, .rounds = 2}};
  EXPECT_NEAR(*estimate(device, counts, DType::f32, true).seconds, 1, 1e-3);
  EXPECT_NEAR(*estimate(device, counts, DType::bf16, true).seconds, 0.25, 1e-3);
  EXPECT_NEAR(*estimate(device, moves, DType::f32, true).seconds, 2, 1e-3);
  EXPECT_NEAR(*estimate(device, moves, DType::bf16, true).seconds, 1, 1e-3);
  PublishedDevice infers = device;
  infers.trains = false;
  EXPECT_THAT(estimate(infers, counts, DType::f32, true).why, HasSubstr("cannot train"));
  EXPECT_TRUE(estimate(infers, counts, DType::f32, false).seconds);
}

}  // namespace
}  // namespace temper
