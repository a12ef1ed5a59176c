#include "base/python_packages.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "base/text.h"

namespace temper {

namespace fs = std::filesystem;

namespace {

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value ? value : "";
}

// In the order in which they are looked through.
std::vector<fs::path> prefixes() {
  std::vector<fs::path> all;
  for (const char* name : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
    if (std::string prefix = variable(name); !prefix.empty()) all.emplace_back(std::move(prefix));
  }
  const std::string path = variable("PATH");
  for (const std::string_view folder : split(path, ':')) {
    std::error_code error;
    const fs::path program = fs::canonical(fs::path(folder) / "python3", error);
    if (!error) all.push_back(program.parent_path().parent_path());
  }
  if (const std::string home = variable("HOME"); !home.empty()) all.push_back(fs::path(home) / ".local");
  for (const char* prefix : {"/usr/local", "/usr"}) all.emplace_back(prefix);
  return all;
}

}  // namespace

std::vector<fs::path> sorted_entries(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error))
    entries.push_back(entry.path());
  std::ranges::sort(entries);
  return entries;
}

std::vector<fs::path> python_packages() {
  std::vector<fs::path> all;
  for (const fs::path& prefix : prefixes())
    for (const fs::path& library : sorted_entries(prefix / "lib")) {
      if (!library.filename().string().starts_with("python3")) continue;
      for (const char* kind : {"site-packages", "dist-packages"}) {
        const fs::path packages = library / kind;
        std::error_code error;
        if (fs::is_directory(packages, error) && std::ranges::find(all, packages) == all.end())
          all.push_back(packages);
      }
    }
  return all;
}

}  // namespace temper
