#pragma once
// Where plug-ins are.
#include <string>
#include <string_view>
#include <vector>

namespace temper::pjrt {

struct Found {
  std::string name;  // "cpu", "tpu", "cuda": the word of its file's name that is not of PJRT's own
  std::string path;
};

struct Search {
  std::vector<Found> plugins;       // the first of a name is the one to take
  std::vector<std::string> places;  // where was looked, for people
};

// TEMPER_PJRT_PATH (files or folders, colon-separated), TPU_LIBRARY_PATH, and xla_plugins, jax_plugins and
// libtpu in the site-packages of VIRTUAL_ENV, CONDA_PREFIX, the python3 of PATH, the user and the system.
Search find_plugins();

// Why the plug-in `name` need not be asked for its hardware, for people; empty if it is to be asked. Without
// a TPU libtpu asks the network for minutes.
std::string why_no_hardware(std::string_view name);

// "xla_cpu_pjrt.so": cpu, "libtpu.so": tpu.
std::string plugin_name(std::string_view file);

}  // namespace temper::pjrt
