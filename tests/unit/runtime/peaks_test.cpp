#include "runtime/peaks.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>

#include "devices/null/null.h"
#include "support/temporary_folder.h"

namespace temper {
namespace {

using testing::HasSubstr;

// Runs nothing, and says that it is fast.
class Boaster : public Device {
 public:
  std::string_view name() const override { return "boaster"; }
  const Target& target() const override { return real_->target(); }
  DeviceFacts facts() override { return {.target = {.name = "boaster", .facts = {{"driver", driver}}}}; }
  DeviceFacts measure() override {
    ++measured;
    return with_peaks(facts(), {.flops = 1e12 * measured, .bytes_per_second = 1e11});
  }
  Tensor allocate(const Type& type, int64_t layout) override { return real_->allocate(type, layout); }
  void copy(const Tensor& from, Tensor& to) override { real_->copy(from, to); }
  std::unique_ptr<Executable> load(std::shared_ptr<const Program> program) override {
    return real_->load(std::move(program));
  }

  std::string driver = "1.0";
  int measured = 0;

 private:
  std::unique_ptr<Device> real_ = null::null_device().open("");
};

class PeaksTest : public testing::Test {
 protected:
  void SetUp() override { setenv("TEMPER_CACHE", folder_.path().c_str(), 1); }
  void TearDown() override { unsetenv("TEMPER_CACHE"); }
  std::filesystem::path file() const {
    return std::filesystem::directory_iterator(folder_.path() / "peaks")->path();
  }

  TemporaryFolder folder_;
  Boaster device_;
};

TEST_F(PeaksTest, AreMeasuredOncePerDriver) {
  const DeviceFacts first = kept_peaks(device_), again = kept_peaks(device_);
  EXPECT_EQ(device_.measured, 1);
  EXPECT_EQ(first.peak_flops, 1e12);
  EXPECT_GT(first.upload_bytes_per_second, 0);
  EXPECT_GT(first.launch_seconds, 0);
  EXPECT_EQ(again.peak_flops, first.peak_flops);
  EXPECT_EQ(again.upload_bytes_per_second, first.upload_bytes_per_second);
  EXPECT_EQ(again.launch_seconds, first.launch_seconds);
  EXPECT_EQ(again.target.name, "boaster") << "what is not measured is asked for anew";
  device_.driver = "1.1";
  kept_peaks(device_);
  EXPECT_EQ(device_.measured, 2);
  EXPECT_EQ(kept_peaks(device_, true).peak_flops, 3e12) << "--refresh";
  EXPECT_EQ(kept_peaks(device_).peak_flops, 3e12);
}

TEST_F(PeaksTest, AreMeasuredAgainIfTheFileIsDamaged) {
  kept_peaks(device_);
  for (const char* damaged : {"", "{", "[]", "{\"key\":1,\"measured\":{}}"}) {
    std::ofstream(file()) << damaged;
    const int before = device_.measured;
    testing::internal::CaptureStderr();
    kept_peaks(device_);
    EXPECT_EQ(device_.measured, before + 1) << damaged;
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("is damaged"));
  }
  std::ifstream in(file());
  std::string whole{std::istreambuf_iterator<char>(in), {}};
  whole.replace(whole.find("\"flops\":") + 8, 1, "-");
  std::ofstream(file()) << whole;
  testing::internal::CaptureStderr();
  EXPECT_GT(kept_peaks(device_).peak_flops, 0);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("is damaged"));
}

// Another's values under the same name are not taken.
TEST_F(PeaksTest, BelongToOneKey) {
  kept_peaks(device_);
  std::ofstream(file()) << R"({"key":"another machine","measured":{"flops":1}})";
  kept_peaks(device_);
  EXPECT_EQ(device_.measured, 2);
}

TEST_F(PeaksTest, WorkWithoutACache) {
  setenv("TEMPER_CACHE", "off", 1);
  EXPECT_GT(kept_peaks(device_).launch_seconds, 0);
  kept_peaks(device_);
  EXPECT_EQ(device_.measured, 2);
}

}  // namespace
}  // namespace temper
