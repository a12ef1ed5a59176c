#include "devices/cuda/libraries.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>

#include "base/python_packages.h"
#include "base/text.h"
#include "devices/cuda/absent.h"
#include "temper/error.h"

namespace temper::cuda {

namespace fs = std::filesystem;

namespace {

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value ? value : "";
}

// find_entries: the name of one that is missing; empty if all are there.
#define TEMPER_FIND(name, ...)                                          \
  api.name = reinterpret_cast<decltype(api.name)>(library.find(#name)); \
  if (!api.name) return #name;
std::string find_entries(const DynamicLibrary& library, DriverApi& api) {
  TEMPER_CUDA_DRIVER_CALLS(TEMPER_FIND)
  return {};
}
std::string find_entries(const DynamicLibrary& library, NvrtcApi& api) {
  TEMPER_NVRTC_CALLS(TEMPER_FIND)
  return {};
}
std::string find_entries(const DynamicLibrary& library, BlasApi& api) {
  TEMPER_CUBLASLT_CALLS(TEMPER_FIND)
  return {};
}
std::string find_entries(const DynamicLibrary& library, NvmlApi& api) {
  TEMPER_NVML_CALLS(TEMPER_FIND)
  return {};
}
#undef TEMPER_FIND

// The first of them that has every entry point; it is kept.
template <class Api>
const Opened<Api>* take(const std::vector<DynamicLibrary>& libraries, std::string& tried,
                        bool (*suits)(const Api&, int) = nullptr, int wanted = 0) {
  struct Kept {
    std::mutex mutex;
    std::map<std::string, std::unique_ptr<const Opened<Api>>> by_file;
  };
  static Kept& kept = *std::make_unique<Kept>().release();  // outlives what else is static
  const std::lock_guard lock(kept.mutex);
  for (const DynamicLibrary& library : libraries) {
    std::unique_ptr<const Opened<Api>>& opened = kept.by_file[library.name()];
    if (!opened) {
      Api api;
      if (const std::string lacks = find_entries(library, api); !lacks.empty()) {
        tried += concat("; '", library.name(), "' lacks ", lacks);
        continue;
      }
      opened = std::make_unique<const Opened<Api>>(Opened<Api>{library, api});
    }
    if (!suits || suits(opened->api, wanted)) return opened.get();
    tried += concat("; '", opened->library.name(), "' does not know sm_", wanted);
  }
  return nullptr;
}

// "libnvrtc.so.13", "libnvrtc.so.12": of majors that a driver of this version takes.
std::vector<std::string> by_major(std::string_view name, int driver_version) {
  std::vector<std::string> names;
  for (int major = std::min(driver_version / 1000, 13); major >= 12; --major)
    names.push_back(concat(name, ".so.", major));
  return names;
}

std::string package(std::string_view name, int driver_version) {
  return driver_version < 13000 ? concat("pip install ", name, "-cu12") : concat("pip install ", name);
}

bool knows(const NvrtcApi& api, int architecture) {
  int count = 0;
  if (api.nvrtcGetNumSupportedArchs(&count) != 0 || count <= 0) return false;
  std::vector<int> known(static_cast<size_t>(count));
  return api.nvrtcGetSupportedArchs(known.data()) == 0 &&
         std::ranges::find(known, architecture) != known.end();
}

}  // namespace

std::vector<std::string> library_folders() {
  std::vector<std::string> folders;
  if (const std::string own = variable("TEMPER_CUDA_PATH"); !own.empty()) {
    for (const std::string_view folder : split(own, ':'))
      if (!folder.empty()) folders.emplace_back(folder);
    return folders;
  }
  for (const char* name : {"CUDA_HOME", "CUDA_PATH"})
    if (const std::string home = variable(name); !home.empty()) folders.push_back(home + "/lib64");
  folders.emplace_back();
  folders.emplace_back("/usr/local/cuda/lib64");
  folders.emplace_back("/usr/lib/wsl/lib");
  for (const fs::path& packages : python_packages())
    for (const fs::path& part : sorted_entries(packages / "nvidia"))
      folders.push_back((part / "lib").string());
  return folders;
}

std::vector<DynamicLibrary> find_libraries(const std::vector<std::string>& names, std::string& tried) {
  std::vector<DynamicLibrary> found;
  std::vector<std::string> places, reasons;
  for (const std::string& folder : library_folders()) {
    std::error_code error;
    if (!folder.empty() && !fs::is_directory(folder, error)) continue;
    places.push_back(folder.empty() ? "the system's libraries" : folder);
  }
  for (const std::string& name : names)
    for (const std::string& folder : library_folders()) {
      const std::string file = folder.empty() ? name : concat(folder, "/", name);
      std::error_code error;
      if (!folder.empty() && !fs::exists(file, error)) continue;
      try {
        found.push_back(DynamicLibrary::open(file));
      } catch (const Error& problem) {
        if (!folder.empty()) reasons.emplace_back(problem.what());
      }
    }
  tried = concat("looked in ", places.empty() ? "no folder that is there" : join(places, ", "));
  for (const std::string& reason : reasons) tried += concat("; ", reason);
  return found;
}

const Opened<DriverApi>& open_driver() {
  std::string tried;
  const Opened<DriverApi>* const driver = take<DriverApi>(find_libraries({"libcuda.so.1"}, tried), tried);
  if (!driver)
    throw Error(ErrorKind::device,
                concat("there is no NVIDIA driver (libcuda.so.1); ", why_no_driver(), "; ", tried));
  return *driver;
}

const Opened<NvrtcApi>& open_nvrtc(int driver_version, int architecture) {
  std::string tried;
  const std::vector<std::string> names = by_major("libnvrtc", driver_version);
  const Opened<NvrtcApi>* const nvrtc =
      take<NvrtcApi>(find_libraries(names, tried), tried, knows, architecture);
  if (!nvrtc)
    throw Error(ErrorKind::device,
                concat("there is no NVRTC (", join(names, ", "), "), which compiles kernels, for sm_",
                       architecture, ": ", package("nvidia-cuda-nvrtc", driver_version), "; ", tried));
  return *nvrtc;
}

const Opened<BlasApi>* open_blas(int driver_version, std::string& why) {
  const std::vector<std::string> names = by_major("libcublasLt", driver_version);
  const Opened<BlasApi>* const blas = take<BlasApi>(find_libraries(names, why), why);
  if (!blas) why = concat("no ", names.front(), ": ", package("nvidia-cublas", driver_version), "; ", why);
  return blas;
}

const Opened<NvmlApi>* open_nvml(std::string& why) {
  const Opened<NvmlApi>* const nvml = take<NvmlApi>(find_libraries({"libnvidia-ml.so.1"}, why), why);
  if (!nvml) why = concat("no libnvidia-ml.so.1; ", why);
  return nvml;
}

std::string version_text(int version) { return concat(version / 1000, ".", version % 1000 / 10); }

}  // namespace temper::cuda
