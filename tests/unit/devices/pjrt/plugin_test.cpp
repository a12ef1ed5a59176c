// Files that are no plug-ins, plug-ins that fail, and where they are looked for.
#include "devices/pjrt/plugin.h"

#include <gtest/gtest.h>

#include "devices/pjrt/find.h"
#include "devices/pjrt/pjrt.h"
#include "support/expect_error.h"
#include "support/pjrt.h"
#include "support/temporary_folder.h"

namespace temper::pjrt {
namespace {

std::string fake(const char* name) { return std::string(TEMPER_FAKES "/libpjrt_") + name + ".so"; }

void expect_refused(const std::string& file, const std::string& part) {
  register_device(pjrt_device());
  expect_error(ErrorKind::device, part, [&] { open_device("pjrt:" + file); });
  expect_error(ErrorKind::device, file, [&] { open_device("pjrt:" + file); });
}

TEST(PjrtPlugin, SaysWhatIsWrongWithAFile) {
  const TemporaryFolder folder;
  expect_refused("/nowhere/pjrt_c_api_cpu_plugin.so", "there is no PJRT plug-in");
  expect_refused(folder.write("text.so", "not a library"), "is not a PJRT plug-in that can be loaded");
  expect_refused(fake("no_entry"), "a library without GetPjrtApi");
  expect_refused(fake("another_major"), "speaks version 7.3 of the PJRT API, this program 0.x");
  expect_refused(fake("no_hardware"), "could not find its hardware: no accelerator is here");
}

TEST(PjrtPlugin, SaysWhereItLooked) {
  register_device(pjrt_device());
  const TemporaryFolder folder;
  setenv("TEMPER_PJRT_PATH", folder.path().c_str(), 1);
  expect_error(ErrorKind::device, "no PJRT plug-in for `nosuch` was found",
               [] { open_device("pjrt:nosuch"); });
  expect_error(ErrorKind::device, folder.path().string(), [] { open_device("pjrt:nosuch"); });
  unsetenv("TEMPER_PJRT_PATH");
}

// Not even libtpu's file is opened where there is no TPU: it would ask the network.
TEST(PjrtPlugin, IsNotAskedForATpuThatIsNotThere) {
  if (why_no_hardware("tpu").empty()) GTEST_SKIP() << "skipped, because this machine has a TPU";
  const TemporaryFolder folder;
  expect_refused(folder.write("libtpu.so", "not a library"), "is not opened: this machine has no TPU");
  EXPECT_EQ(why_no_hardware("cpu"), "");
}

TEST(PjrtPlugin, NamesAreWordsOfFiles) {
  EXPECT_EQ(plugin_name("xla_cpu_pjrt.so"), "cpu");
  EXPECT_EQ(plugin_name("libpjrt_cpu.so"), "cpu");
  EXPECT_EQ(plugin_name("pjrt_c_api_cpu_plugin.so"), "cpu");
  EXPECT_EQ(plugin_name("xla_cuda_plugin.so"), "cuda");
  EXPECT_EQ(plugin_name("libtpu.so"), "tpu");
  EXPECT_EQ(plugin_name("libpjrt.so"), "");
}

TEST(PjrtPlugin, IsFoundInFoldersAndEnvironments) {
  const TemporaryFolder folder;
  const std::string first = folder.write("own/xla_cpu_pjrt.so", ""),
                    second = folder.write("own/libtpu.so", "");
  const std::string third =
      folder.write("env/lib/python3.11/site-packages/jax_plugins/xla_cuda12/xla_cuda_plugin.so", "");
  setenv("TEMPER_PJRT_PATH", (folder.path() / "own").c_str(), 1);
  setenv("VIRTUAL_ENV", (folder.path() / "env").c_str(), 1);
  const Search search = find_plugins();
  unsetenv("TEMPER_PJRT_PATH");
  unsetenv("VIRTUAL_ENV");
  const auto path = [&](std::string_view name) {
    for (const Found& found : search.plugins) {
      if (found.name == name) return found.path;
    }
    return std::string();
  };
  EXPECT_EQ(path("cpu"), first);
  EXPECT_EQ(path("tpu"), second);
  EXPECT_EQ(path("cuda"), third);
}

}  // namespace
}  // namespace temper::pjrt
