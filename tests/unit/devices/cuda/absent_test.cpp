// What is said where there is no GPU, or too little of it.
#include "devices/cuda/absent.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "devices/cuda/libraries.h"
#include "fake_device.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace temper::cuda {
namespace {

namespace fs = std::filesystem;

class CudaAbsent : public testing::Test {
 protected:
  void SetUp() override { use_fake_cuda(); }

  // Only these of the fake's libraries are to be found.
  void only(const std::vector<std::string>& libraries) {
    for (const std::string& library : libraries)
      fs::create_symlink(fs::path(use_fake_cuda()) / library, folder_.path() / library);
    setenv("TEMPER_CUDA_PATH", folder_.path().c_str(), 1);
  }
  static void expect_absent(const std::string& why, const std::string& which = "") {
    expect_error(ErrorKind::device, why, [&] { cuda_device().open(which); });
  }

  TemporaryFolder folder_;
};

TEST_F(CudaAbsent, SaysThatThereIsNoDriver) {
  only({});
  expect_absent("there is no NVIDIA driver (libcuda.so.1); the PCI bus");
  expect_absent(concat("looked in ", folder_.path().string()));
}

TEST_F(CudaAbsent, SaysWhatDoesNotOpen) {
  folder_.write("libcuda.so.1", "no library");
  setenv("TEMPER_CUDA_PATH", folder_.path().c_str(), 1);
  expect_absent("libcuda.so.1: file too short");
}

TEST_F(CudaAbsent, SaysHowOldTheDriverIs) {
  const Told old("TEMPER_FAKE_CUDA_VERSION", "11040");
  expect_absent("the NVIDIA driver is too old: it has CUDA 11.4, 12.0 is wanted");
}

TEST_F(CudaAbsent, SaysWhyItDoesNotStart) {
  const Told mismatch("TEMPER_FAKE_CUDA_INIT", "803");
  expect_absent(
      "does not start (CUDA error 803, CUDA_ERROR_OTHER: it failed); the driver's library and its kernel "
      "module");
}

TEST_F(CudaAbsent, SaysThatThereIsNoSuchNumber) {
  expect_absent("shows 1 GPU, none with number 5", "5");
  expect_absent("expected a number from 0", "gpu");
  const Told none("TEMPER_FAKE_CUDA_DEVICES", "0");
  expect_absent("shows 0 GPUs, none with number 0");
}

TEST_F(CudaAbsent, SaysHowToGetTheCompiler) {
  only({"libcuda.so.1"});
  expect_absent("there is no NVRTC (libnvrtc.so.13, libnvrtc.so.12)");
  expect_absent("pip install nvidia-cuda-nvrtc;");
  const Told older("TEMPER_FAKE_CUDA_VERSION", "12040");
  expect_absent(
      "there is no NVRTC (libnvrtc.so.12), which compiles kernels, for sm_90: pip install "
      "nvidia-cuda-nvrtc-cu12;");
}

TEST_F(CudaAbsent, GoesWithoutTheLibraryOfProducts) {
  only({"libcuda.so.1", "libnvrtc.so.13"});
  const std::unique_ptr<Device> device = cuda_device().open("");
  const DeviceFacts facts = device->facts();
  EXPECT_FALSE(facts.target.facts.contains("cublaslt"));
  EXPECT_NE(facts.target.facts.at("products").find("pip install nvidia-cublas"), std::string::npos);
  EXPECT_EQ(facts.power_counter, "");
  EXPECT_FALSE(device->joules());
}

TEST_F(CudaAbsent, TellsWhatIsThere) {
  const std::unique_ptr<Device> device = cuda_device().open("");
  const DeviceFacts facts = device->facts();
  EXPECT_EQ(facts.target.facts.at("architecture"), "sm_90");
  EXPECT_EQ(facts.target.facts.at("driver"), "CUDA 13.0");
  EXPECT_EQ(facts.target.facts.at("cublaslt"), "13.0.0");
  EXPECT_EQ(facts.description, "Fake GPU, 4 multiprocessors");
  EXPECT_EQ(facts.target.memory_bytes, int64_t{8} << 30);
}

TEST_F(CudaAbsent, CountsTheEnergyOfTheGpu) {
  const std::unique_ptr<Device> device = cuda_device().open("");
  EXPECT_EQ(device->facts().power_counter, "NVML");
  const double before = *device->joules();
  EXPECT_EQ(*device->joules() - before, 1);
  EnergyMeter meter(folder_.path().string());
  EXPECT_FALSE(meter.joules());
  count_energy(meter, *device);
  EXPECT_EQ(meter.source(), "NVML");
  EXPECT_EQ(*meter.joules(), 1);
  EXPECT_EQ(*meter.joules(), 2);
}

// The machine's own files.
TEST_F(CudaAbsent, LooksAtTheMachine) {
  const std::string root = folder_.path().string();
  EXPECT_NE(why_no_driver(root).find("shows no NVIDIA GPU"), std::string::npos);
  fs::create_directories(folder_.path() / "sys/bus/pci/devices/0000:01:00.0");
  folder_.write("sys/bus/pci/devices/0000:01:00.0/vendor", "0x10de\n");
  folder_.write("sys/bus/pci/devices/0000:01:00.0/class", "0x040300\n");  // its sound
  EXPECT_NE(why_no_driver(root).find("shows no NVIDIA GPU"), std::string::npos);
  folder_.write("sys/bus/pci/devices/0000:01:00.0/class", "0x030200\n");
  EXPECT_NE(why_no_driver(root).find("install its driver (Debian: nvidia-driver"), std::string::npos);
  EXPECT_NE(why_no_start(kNoDevice, root).find("there is no " + root + "/dev/nvidiactl"), std::string::npos);
  fs::create_directories(folder_.path() / "dev");
  folder_.write("dev/nvidiactl", "");
  folder_.write("dev/nvidia0", "");
  EXPECT_EQ(why_no_start(kUnknown, root), "");
  if (geteuid() == 0) GTEST_SKIP() << "skipped, because nothing is forbidden to root";
  chmod((root + "/dev/nvidia0").c_str(), 0);
  EXPECT_EQ(why_no_start(kUnknown, root).find("no permission for " + root + "/dev/nvidia0"), 0U);
}

}  // namespace
}  // namespace temper::cuda
