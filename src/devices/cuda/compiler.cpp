#include "devices/cuda/compiler.h"

#include <algorithm>

#include "base/text.h"
#include "devices/cuda/driver.h"
#include "runtime/program_cache.h"

namespace temper::cuda {

namespace {

// Sums are rounded as the text says, on every GPU.
constexpr const char* kOptions[] = {"--fmad=false", "--std=c++17", "-w"};
constexpr int64_t kMostGroups = (int64_t{1} << 31) - 1;

class Compiling {
 public:
  Compiling(const NvrtcApi& nvrtc, const std::string& source) : nvrtc_(nvrtc) {
    check(nvrtc_.nvrtcCreateProgram(&program_, source.c_str(), "temper.cu", 0, nullptr, nullptr),
          "take a program");
  }
  Compiling(const Compiling&) = delete;
  Compiling& operator=(const Compiling&) = delete;
  ~Compiling() { nvrtc_.nvrtcDestroyProgram(&program_); }

  void compile(const std::string& architecture) {
    const std::string target = concat("--gpu-architecture=", architecture);
    std::vector<const char*> options{target.c_str()};
    options.insert(options.end(), std::begin(kOptions), std::end(kOptions));
    const Status status =
        nvrtc_.nvrtcCompileProgram(program_, static_cast<int>(options.size()), options.data());
    check(status, concat("compile a program for ", architecture));
  }

  std::string code() {
    size_t size = 0;
    check(nvrtc_.nvrtcGetCUBINSize(program_, &size), "give its code");
    std::string bytes(size, '\0');
    check(nvrtc_.nvrtcGetCUBIN(program_, bytes.data()), "give its code");
    return bytes;
  }

 private:
  void check(Status status, std::string_view what) {
    if (status == 0) return;
    throw Error(ErrorKind::device, concat("NVRTC could not ", what, ": ", nvrtc_.nvrtcGetErrorString(status),
                                          status == kCompilationFailed ? log() : ""));
  }

  std::string log() {
    size_t size = 0;
    if (nvrtc_.nvrtcGetProgramLogSize(program_, &size) != 0 || size < 2) return {};
    std::string text(size, '\0');
    nvrtc_.nvrtcGetProgramLog(program_, text.data());
    text.resize(std::min(text.find('\0'), size));
    std::string line(trim(text));
    std::ranges::replace(line, '\n', '|');  // a message is one line
    return concat(": ", line);
  }

  const NvrtcApi& nvrtc_;
  CProgram* program_ = nullptr;
};

class ReadyKernel : public launches::ReadyLaunch {
 public:
  ReadyKernel(const Driver& driver, CFunction* function, const launches::Launch& launch)
      : driver_(driver), function_(function), launch_(launch) {
    if (launch.groups > kMostGroups)
      throw Error(ErrorKind::unsupported, concat("'", driver.name(), "' runs at most ", kMostGroups,
                                                 " groups, `", launch.about.name, "` wants ", launch.groups));
    values_.resize(2 * launch.buffers.size());
    for (const int64_t number : launch.numbers) values_.push_back(static_cast<uint64_t>(number));
    for (uint64_t& value : values_) parameters_.push_back(&value);
  }
  ReadyKernel(const ReadyKernel&) = delete;
  ReadyKernel& operator=(const ReadyKernel&) = delete;

  void start(std::span<const Place> operands) override {
    if (launch_.groups == 0) return;
    for (size_t i = 0; i < operands.size(); ++i) {
      values_[2 * i] = reinterpret_cast<uint64_t>(operands[i].memory);
      values_[2 * i + 1] = operands[i].offset;
    }
    const Driver::Turn turn = driver_.enter();
    driver_.check(driver_.api().cuLaunchKernel(function_, static_cast<unsigned>(launch_.groups), 1, 1,
                                               static_cast<unsigned>(launch_.lanes), 1, 1, 0,
                                               driver_.stream(), parameters_.data(), nullptr),
                  concat("run the kernel of `", launch_.about.name, "`"));
  }

 private:
  const Driver& driver_;
  CFunction* function_;
  const launches::Launch& launch_;
  std::vector<uint64_t> values_;
  std::vector<void*> parameters_;
};

std::string compiler_version(const NvrtcApi& nvrtc) {
  int major = 0, minor = 0;
  nvrtc.nvrtcVersion(&major, &minor);
  return concat(major, ".", minor);
}

}  // namespace

std::string compile_source(const NvrtcApi& nvrtc, const std::string& source,
                           const std::string& architecture) {
  Compiling compiling(nvrtc, source);
  compiling.compile(architecture);
  return compiling.code();
}

Module::Module(const Driver& driver, const std::string& source) : driver_(driver) {
  const DriverApi& api = driver_.api();
  const NvrtcApi& nvrtc = driver_.nvrtc().api;
  const std::string architecture = concat("sm_", driver_.architecture());
  const ProgramCache cache(
      "cuda",
      concat(architecture, "\n", compiler_version(nvrtc), "\n",
             join(std::vector<std::string>(std::begin(kOptions), std::end(kOptions)), " "), "\n", source));
  const auto load = [&](const std::string& code) {
    const Driver::Turn turn = driver_.enter();
    return api.cuModuleLoadData(&module_, code.data());
  };
  if (const std::optional<std::string> kept = cache.find()) {
    if (load(*kept) == 0) return;
    cache.damaged("the driver does not take it");
  }
  const std::string code = compile_source(nvrtc, source, architecture);
  driver_.check(load(code), "load a program");
  cache.keep(code);
}

Module::~Module() {
  const Driver::Turn turn = driver_.enter_to_free();
  driver_.api().cuModuleUnload(module_);
}

std::unique_ptr<launches::ReadyLaunch> Module::ready(const std::string& kernel,
                                                     const launches::Launch& launch) const {
  const Driver::Turn turn = driver_.enter();
  CFunction* function = nullptr;
  driver_.check(driver_.api().cuModuleGetFunction(&function, module_, kernel.c_str()),
                concat("find the kernel ", kernel));
  return std::make_unique<ReadyKernel>(driver_, function, launch);
}

}  // namespace temper::cuda
