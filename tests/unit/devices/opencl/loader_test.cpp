// What is said when there is no OpenCL, or too little of it.
#include "counted.h"
#include "devices/opencl/driver.h"
#include "support/expect_error.h"

namespace temper::opencl {
namespace {

void expect_absent(const std::string& library, const std::string& why) {
  setenv("TEMPER_OPENCL_LIBRARY", library.c_str(), 1);
  expect_error(ErrorKind::device, why, [] { opencl_device().open(""); });
}

TEST(OpenclLoader, SaysThatThereIsNone) {
  expect_absent("/nowhere/libOpenCL.so.1", "there is no OpenCL loader '/nowhere/libOpenCL.so.1'");
  expect_absent("/nowhere/libOpenCL.so.1", "ocl-icd-libopencl1");
}

TEST(OpenclLoader, SaysWhichFunctionItLacks) {
  expect_absent(fake("no_entries"), "it lacks clGetPlatformInfo");
}

TEST(OpenclLoader, SaysThatThereIsNoDriver) {
  expect_absent(fake("no_platform"), "knows no OpenCL platform: install your device's driver");
}

TEST(OpenclLoader, SaysThatThereIsNoDevice) {
  expect_absent(fake("no_device"), "knows 1 OpenCL platform, but no device");
}

TEST(OpenclLoader, SaysThatThereIsNoSuchNumber) {
  TEMPER_NEED_OPENCL();
  setenv("TEMPER_OPENCL_LIBRARY", fake("counting").c_str(), 1);
  expect_error(ErrorKind::device, "none with number 99", [] { opencl_device().open("99"); });
  expect_error(ErrorKind::device, "expected a number from 0", [] { opencl_device().open("gpu"); });
}

}  // namespace
}  // namespace temper::opencl
