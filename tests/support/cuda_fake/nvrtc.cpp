// NVRTC that hands CUDA C++ to the host's compiler. Its "cubin" is a shared library: for each kernel k it has
// k__run, which takes the addresses of the parameters, and k__parameters, their number.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "devices/cuda/api.h"

namespace temper::cuda {
struct CProgram {
  std::string source, code, log;
};
}  // namespace temper::cuda

using namespace temper::cuda;

namespace {

int compiled = 0;  // programs

std::string read(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

// "GLOBAL const u8* mx0, u64 ox0" called with what `p` points to.
std::string call(const std::string& name, const std::string& parameters) {
  std::string arguments;
  int count = 0;
  std::istringstream all(parameters);
  for (std::string parameter; std::getline(all, parameter, ',');) {
    const std::string type = parameter.substr(0, parameter.rfind(' '));
    arguments += (count ? ", *(" : "*(") + type + "*)p[" + std::to_string(count) + "]";
    ++count;
  }
  return "KERNEL void " + name + "__run(void** p) { " + name + "(" + arguments + "); }\n" +
         "KERNEL const int " + name + "__parameters = " + std::to_string(count) + ";\n";
}

std::string with_calls(const std::string& source) {
  static const std::string kHead = "\nKERNEL LANES(";
  std::string all = source;
  for (size_t at = source.find(kHead); at != std::string::npos; at = source.find(kHead, at + 1)) {
    const size_t name = source.find(" void ", at) + 6, open = source.find('(', name),
                 close = source.find(") {", open);
    all += call(source.substr(name, open - name), source.substr(open + 1, close - open - 1));
  }
  return all;
}

}  // namespace

extern "C" {

Status nvrtcVersion(int* major, int* minor) {
  *major = 13, *minor = 0;
  return 0;
}
const char* nvrtcGetErrorString(Status status) {
  return status == kCompilationFailed ? "NVRTC_ERROR_COMPILATION" : "NVRTC_ERROR";
}
Status nvrtcGetNumSupportedArchs(int* count) {
  *count = 3;
  return 0;
}
Status nvrtcGetSupportedArchs(int* architectures) {
  constexpr int kKnown[] = {80, 90, 100};
  std::memcpy(architectures, kKnown, sizeof kKnown);
  return 0;
}
Status nvrtcCreateProgram(CProgram** program, const char* source, const char*, int, const char* const*,
                          const char* const*) {
  *program = std::make_unique<CProgram>(CProgram{source, {}, {}}).release();
  return 0;
}
Status nvrtcDestroyProgram(CProgram** program) {
  const std::unique_ptr<CProgram> owner(*program);
  *program = nullptr;
  return 0;
}

int times_called(const char* name) { return std::string_view(name) == "nvrtcCompileProgram" ? compiled : 0; }

Status nvrtcCompileProgram(CProgram* program, int, const char* const*) {
  ++compiled;
  namespace fs = std::filesystem;
  std::string folder = (fs::temp_directory_path() / "fake_nvrtc_XXXXXX").string();
  if (!mkdtemp(folder.data())) return 1;
  const char* const other = std::getenv("TEMPER_FAKE_CUDA_BUILD");
  std::ofstream(folder + "/k.cpp") << "#include \"" FAKE_KERNEL_WORDS "\"\n"
                                   << (other ? other : with_calls(program->source));
  const std::string command = "cd " + folder + " && " + FAKE_COMPILER +
                              " -std=c++17 -O1 -march=native -ffp-contract=off -fno-math-errno -fPIC -shared "
                              "-fvisibility=hidden -w -o k.so k.cpp -lm 2>k.log";
  const int code = std::system(command.c_str());
  program->code = read(folder + "/k.so");
  program->log = read(folder + "/k.log");
  fs::remove_all(folder);
  return code == 0 ? 0 : kCompilationFailed;
}

Status nvrtcGetProgramLogSize(CProgram* program, size_t* size) {
  *size = program->log.size() + 1;
  return 0;
}
Status nvrtcGetProgramLog(CProgram* program, char* log) {
  std::memcpy(log, program->log.c_str(), program->log.size() + 1);
  return 0;
}
Status nvrtcGetCUBINSize(CProgram* program, size_t* size) {
  *size = program->code.size();
  return 0;
}
Status nvrtcGetCUBIN(CProgram* program, char* code) {
  std::ranges::copy(program->code, code);
  return 0;
}
}
