// What base knows of the process and the machine: signals, shared libraries, memory, energy, packages, log.
#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <vector>

#include "base/dynamic_library.h"
#include "base/energy.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/process_age.h"
#include "base/python_packages.h"
#include "base/stop_signal.h"
#include "base/text.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace temper {
namespace {

TEST(StopSignal, FirstIsRememberedSecondEnds) {
  EXPECT_EXIT(
      {
        catch_stop_signals();
        if (stop_signal() != 0) _exit(1);
        std::raise(SIGTERM);
        if (stop_signal() != SIGTERM) _exit(2);
        forget_stop_signal();
        std::raise(SIGINT);
        if (stop_signal() != SIGINT) _exit(3);
        std::raise(SIGINT);
        _exit(4);
      },
      testing::ExitedWithCode(130), "");
}

TEST(DynamicLibrary, OpensTheFirstThatIsThere) {
  const DynamicLibrary math = DynamicLibrary::open({"libabsent.so.7", "libm.so.6"});
  EXPECT_EQ(math.name(), "libm.so.6");
  EXPECT_EQ(math.symbol<double (*)(double)>("floor")(2.5), 2);
  EXPECT_EQ(math.find("no_such_function"), nullptr);
  expect_error(ErrorKind::not_found, "'libm.so.6' has no function 'no_such'",
               [&] { math.symbol<void (*)()>("no_such"); });
  expect_error(ErrorKind::not_found, "libabsent.so.7", [] { DynamicLibrary::open("libabsent.so.7"); });
}

TEST(Memory, PeakGrows) {
  const int64_t before = peak_rss_bytes();
  EXPECT_GT(before, 0);
  const std::vector<char> block(64 << 20, 'x');
  EXPECT_GE(peak_rss_bytes(), before + (32 << 20)) << block[12345];
  EXPECT_GT(available_memory_bytes(), 0);
}

TEST(ProcessAge, Grows) {
  const auto begin = std::chrono::steady_clock::now();
  const double first = process_age_seconds();
  const auto since = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  EXPECT_GE(first, 0);
  EXPECT_LT(first, 600);
  while (since() < 0.05) {
  }
  const double later = process_age_seconds() - first;
  EXPECT_GE(later, 0.03);
  EXPECT_LE(later, since() + 0.02);
}

TEST(Energy, SumsPackagesAndFollowsAWrap) {
  const TemporaryFolder folder;
  const auto set = [&](const std::string& zone, const std::string& name, const std::string& energy) {
    const std::string at = "class/powercap/" + zone;
    folder.write(at + "/name", name + "\n");
    folder.write(at + "/energy_uj", energy + "\n");
    folder.write(at + "/max_energy_range_uj", "10000000\n");
  };
  set("intel-rapl:0", "package-0", "1000000");
  set("intel-rapl:1", "package-1", "9000000");
  set("intel-rapl:2", "psys", "0");
  set("intel-rapl:0:0", "core", "0");
  EnergyMeter meter(folder.path().string());
  EXPECT_EQ(meter.joules(), 0.0);
  set("intel-rapl:0", "package-0", "1500000");
  set("intel-rapl:1", "package-1", "500000");
  set("intel-rapl:2", "psys", "7000000");
  EXPECT_DOUBLE_EQ(meter.joules().value(), 0.5 + 1.5);
  EXPECT_EQ(meter.source(), "RAPL, " + (folder.path() / "class/powercap").string());
  EXPECT_EQ(meter.why(), "");
}

TEST(Energy, ReadsSocketsWhereThereAreNoPackages) {
  const TemporaryFolder folder;
  folder.write("class/hwmon/hwmon0/energy1_label", "Ecore000\n");
  folder.write("class/hwmon/hwmon0/energy1_input", "5\n");
  folder.write("class/hwmon/hwmon0/energy17_label", "Esocket0\n");
  folder.write("class/hwmon/hwmon0/energy17_input", "4000000\n");
  EnergyMeter meter(folder.path().string());
  folder.write("class/hwmon/hwmon0/energy17_input", "6500000\n");
  EXPECT_DOUBLE_EQ(meter.joules().value(), 2.5);
  EXPECT_THAT(meter.source(), testing::HasSubstr("hwmon"));
}

TEST(Energy, ReadsABatteryThatDischarges) {
  const TemporaryFolder folder;
  folder.write("class/power_supply/AC/type", "Mains\n");
  folder.write("class/power_supply/BAT0/type", "Battery\n");
  folder.write("class/power_supply/BAT0/status", "Charging\n");
  folder.write("class/power_supply/BAT0/energy_now", "50000000\n");
  EXPECT_FALSE(EnergyMeter(folder.path().string()).joules());
  folder.write("class/power_supply/BAT0/status", "Discharging\n");
  EnergyMeter meter(folder.path().string());
  folder.write("class/power_supply/BAT0/energy_now", "49999000\n");
  EXPECT_DOUBLE_EQ(meter.joules().value(), 3.6);
  folder.write("class/power_supply/BAT0/energy_now", "49999500\n");  // charged a little
  EXPECT_DOUBLE_EQ(meter.joules().value(), 3.6);
  EXPECT_THAT(meter.source(), testing::HasSubstr("whole machine"));
}

TEST(Energy, SaysWhyNoCounterAnswers) {
  EnergyMeter nowhere("/nowhere");
  EXPECT_EQ(nowhere.joules(), std::nullopt);
  EXPECT_EQ(nowhere.source(), "");
  EXPECT_THAT(nowhere.why(), testing::HasSubstr("no energy counter: /nowhere/class/powercap"));
  const TemporaryFolder folder;
  folder.write("class/powercap/intel-rapl:0/name", "package-0\n");
  folder.write("class/powercap/intel-rapl:0/energy_uj", "locked\n");  // as good as unreadable
  EnergyMeter locked(folder.path().string());
  EXPECT_EQ(locked.joules(), std::nullopt);
  EXPECT_THAT(locked.why(), testing::HasSubstr("energy_uj may not be read"));
}

// With the machine's, or alone; one that does not answer adds nothing.
TEST(Energy, CountsWhatADeviceCounts) {
  const TemporaryFolder folder;
  folder.write("class/hwmon/hwmon0/energy1_label", "Esocket0\n");
  folder.write("class/hwmon/hwmon0/energy1_input", "4000000\n");
  double taken = 100;
  EnergyMeter both(folder.path().string()), alone("/nowhere");
  for (EnergyMeter* const meter : {&both, &alone}) {
    meter->add("silent", [] { return std::optional<double>(); });
    meter->add("card", [&] { return std::optional(taken); });
  }
  taken = 103;
  folder.write("class/hwmon/hwmon0/energy1_input", "6000000\n");
  EXPECT_DOUBLE_EQ(both.joules().value(), 2 + 3);
  EXPECT_DOUBLE_EQ(alone.joules().value(), 3);
  EXPECT_EQ(alone.source(), "card");
  EXPECT_EQ(alone.why(), "");
  EXPECT_THAT(both.source(), testing::EndsWith(" and card"));
}

TEST(PythonPackages, AreThoseOfTheEnvironmentFirst) {
  const TemporaryFolder folder;
  folder.write("lib/python3.11/site-packages/x/x.py", "");
  folder.write("lib/python2.7/site-packages/y/y.py", "");
  const char* const before = std::getenv("VIRTUAL_ENV");
  const std::string kept = before ? before : "";
  setenv("VIRTUAL_ENV", folder.path().c_str(), 1);
  const std::vector<std::filesystem::path> found = python_packages();
  before ? setenv("VIRTUAL_ENV", kept.c_str(), 1) : unsetenv("VIRTUAL_ENV");
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0], folder.path() / "lib/python3.11/site-packages");
  EXPECT_EQ(std::ranges::count(found, folder.path() / "lib/python2.7/site-packages"), 0);
  EXPECT_EQ(sorted_entries(found[0]), std::vector{found[0] / "x"});
  EXPECT_TRUE(sorted_entries("/nowhere").empty());
}

TEST(Log, WritesWhatItsLevelAllows) {
  const LogLevel before = log_level();
  set_log_level(LogLevel::info);
  testing::internal::CaptureStderr();
  log_debug("hidden");
  log_info("seen {} ", 1);
  log_warn("careful");
  set_log_level(LogLevel::off);
  log_warn("hidden");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "seen {} 1\nwarning: careful\n");
  set_log_level(before);
}

TEST(Text, ConcatPrintsValues) {
  const char* pointer = "pointer";
  EXPECT_EQ(concat("a", 1, ' ', true, -2.5, pointer, 0.1F, std::string("s"), uint8_t{7}),
            "a1 true-2.5pointer0.1s7");
  EXPECT_EQ(join(std::vector<int>{1, 2, 3}, ", "), "1, 2, 3");
  EXPECT_EQ(split("a,,b", ',').size(), 3U);
  EXPECT_EQ(trim(" \ta b\n"), "a b");
}

TEST(Text, NumbersAreWhole) {
  int64_t whole = 0;
  double real = 0;
  EXPECT_TRUE(parse_number("-12", whole));
  EXPECT_EQ(whole, -12);
  EXPECT_TRUE(parse_number("+1e-3", real));
  EXPECT_EQ(real, 1e-3);
  for (const char* text : {"", "1x", " 1", "++1", "99999999999999999999"})
    EXPECT_FALSE(parse_number(text, whole)) << text;
}

TEST(Text, ClosestIsNearOrNothing) {
  const std::vector<std::string> words = {"tune", "eval", "predict"};
  EXPECT_EQ(closest("tuen", words), "tune");
  EXPECT_EQ(closest("predcit", words), "predict");
  EXPECT_EQ(closest("zzz", words), "");
  EXPECT_EQ(closest("", words), "");
}

}  // namespace
}  // namespace temper
