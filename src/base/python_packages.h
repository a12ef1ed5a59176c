#pragma once
// Where pip puts what it installs: many a vendor's libraries come as wheels.
#include <filesystem>
#include <vector>

namespace temper {

// The site-packages (and dist-packages) of VIRTUAL_ENV, CONDA_PREFIX, each python3 in PATH, the user and the
// system, in this order; each once, and only what is there.
std::vector<std::filesystem::path> python_packages();

// What a folder holds, by name; nothing if it is none.
std::vector<std::filesystem::path> sorted_entries(const std::filesystem::path& folder);

}  // namespace temper
