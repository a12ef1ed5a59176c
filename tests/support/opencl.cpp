#include "support/opencl.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "support/data.h"

namespace temper {

namespace fs = std::filesystem;

std::string why_no_opencl() {
  std::error_code error;
  bool pocl = false;
  for (const fs::directory_entry& driver : fs::directory_iterator("/etc/OpenCL/vendors", error))
    pocl = pocl || driver.path().filename() == "pocl.icd";
  if (!pocl) return "no pocl-opencl-icd";
  setenv("POCL_CACHE_DIR", in_repository("build/pocl").c_str(), 0);
  return "";
}

}  // namespace temper
