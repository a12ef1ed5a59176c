#include "devices/cuda/absent.h"

#include <unistd.h>

#include <fstream>

#include "base/python_packages.h"
#include "base/text.h"

namespace temper::cuda {

namespace fs = std::filesystem;

namespace {

std::string first_word(const fs::path& file) {
  std::string word;
  std::ifstream(file) >> word;
  return word;
}

// By the PCI bus: a display or 3D controller of NVIDIA's.
bool has_gpu(const fs::path& root) {
  for (const fs::path& device : sorted_entries(root / "sys/bus/pci/devices"))
    if (first_word(device / "vendor") == "0x10de" && first_word(device / "class").starts_with("0x03"))
      return true;
  return false;
}

bool is_there(const fs::path& file) {
  std::error_code error;
  return fs::exists(file, error);
}

}  // namespace

std::string why_no_driver(const std::string& root) {
  if (has_gpu(root))
    return "the PCI bus shows an NVIDIA GPU: install its driver (Debian: nvidia-driver; a container is "
           "started "
           "with the GPU, such as by --gpus all)";
  return concat("the PCI bus (", (fs::path(root) / "sys/bus/pci/devices").string(), ") shows no NVIDIA GPU");
}

std::string why_no_start(Status status, const std::string& root) {
  if (status == kDriverMismatch)
    return "the driver's library and its kernel module are of different versions: restart the machine";
  if (status == kCompatNotSupported) return "the library of a newer driver does not serve this GPU";
  if (status == kSystemNotReady) return "nvidia-fabricmanager is not running";
  for (const char* name : {"dev/nvidiactl", "dev/nvidia0"}) {
    const std::string file = (fs::path(root) / name).string();
    if (!is_there(file))
      return is_there(fs::path(root) / "dev/dxg")
                 ? ""
                 : concat(
                       "there is no ", file,
                       ": the kernel module is not loaded (modprobe nvidia), or this container was not given "
                       "the GPU");
    if (access(file.c_str(), R_OK | W_OK) != 0)
      return concat("no permission for ", file, ": ask for it (often by joining the group video or render)");
  }
  return {};
}

}  // namespace temper::cuda
