#include "devices/pjrt/find.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/python_packages.h"
#include "base/text.h"

namespace temper::pjrt {

namespace fs = std::filesystem;

namespace {

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value ? value : "";
}

class Searching {
 public:
  Search search;

  void file(const fs::path& path) {
    std::error_code error;
    if (!fs::is_regular_file(path, error)) return;
    const std::string name = plugin_name(path.filename().string());
    if (!name.empty()) search.plugins.push_back({name, path.string()});
  }

  // Libraries in `folder` itself.
  void folder(const fs::path& folder) {
    for (const fs::path& entry : sorted_entries(folder)) {
      if (entry.extension() == ".so" || entry.extension() == ".dylib") file(entry);
    }
  }

  // What pip installed.
  void packages(const fs::path& packages) {
    search.places.push_back(packages.string());
    for (const char* group : {"xla_plugins", "jax_plugins"}) {
      for (const fs::path& plugin : sorted_entries(packages / group)) folder(plugin);
    }
    file(packages / "libtpu" / "libtpu.so");
  }
};

std::string first_word(const fs::path& file) {
  std::string word;
  std::ifstream(file) >> word;
  return word;
}

// By the PCI bus: any device of Google's that is not its network card.
bool has_tpu() {
  for (const fs::path& device : sorted_entries("/sys/bus/pci/devices")) {
    if (first_word(device / "vendor") == "0x1ae0" && first_word(device / "device") != "0x0042") return true;
  }
  return false;
}

}  // namespace

std::string plugin_name(std::string_view file) {
  static constexpr std::string_view kCommon[] = {"lib", "pjrt", "xla", "plugin", "c",
                                                 "api", "jax",  "so",  "dylib"};
  std::string words(file);
  std::ranges::replace_if(words, [](char letter) { return letter == '.' || letter == '-'; }, '_');
  for (std::string_view word : split(words, '_')) {
    if (word.starts_with("lib")) word.remove_prefix(3);
    if (!word.empty() && std::ranges::find(kCommon, word) == std::end(kCommon)) return std::string(word);
  }
  return {};
}

std::string why_no_hardware(std::string_view name) {
  return name != "tpu" || has_tpu() ? "" : "this machine has no TPU (/sys/bus/pci/devices shows none)";
}

Search find_plugins() {
  Searching searching;
  const std::string own = variable("TEMPER_PJRT_PATH");
  for (const std::string_view place : split(own, ':')) {
    if (place.empty()) continue;
    std::error_code error;
    searching.search.places.push_back(concat("TEMPER_PJRT_PATH: ", place));
    if (fs::is_directory(place, error))
      searching.folder(place);
    else
      searching.file(place);
  }
  if (own.empty()) searching.search.places.emplace_back("TEMPER_PJRT_PATH (not set)");
  if (const std::string tpu = variable("TPU_LIBRARY_PATH"); !tpu.empty()) {
    searching.search.places.push_back(tpu);
    searching.file(tpu);
  }
  for (const fs::path& packages : python_packages()) searching.packages(packages);
  return std::move(searching.search);
}

}  // namespace temper::pjrt
