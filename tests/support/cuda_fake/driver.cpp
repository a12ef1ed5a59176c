// The CUDA driver of a GPU that is this processor.
#include <dlfcn.h>
#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "commands.h"
#include "lanes.h"

using namespace temper::fake_cuda;

namespace temper::cuda {

struct CModule {
  void* library = nullptr;
  int file = -1;  // open as long: the loader knows a library by its path
  std::map<std::string, std::unique_ptr<CFunction>> functions;
};
struct CFunction {
  void (*run)(void**) = nullptr;
  int parameters = 0;
  struct Index {
    unsigned x, y, z;
  };
  Index *block = nullptr, *lane = nullptr, *lanes = nullptr;
};

}  // namespace temper::cuda

using namespace temper::cuda;

namespace {

template <class T>
T& kept() {  // until the very end of the process
  static T& all = *std::make_unique<T>().release();
  return all;
}
struct Counts : std::map<std::string, int> {};
struct Allocations : std::map<Address, size_t> {};

thread_local bool entered = false;
bool lost = false, initialized = false;
int launched = 0;  // kernels, while TEMPER_FAKE_CUDA_LOST_AT is set

long number(const char* name, long usual) {
  const char* const text = std::getenv((std::string("TEMPER_FAKE_CUDA_") + name).c_str());
  return text ? std::strtol(text, nullptr, 10) : usual;
}

size_t in_use() {
  size_t bytes = 0;
  for (const auto& [at, size] : kept<Allocations>()) bytes += size;
  return bytes;
}

size_t memory() { return static_cast<size_t>(number("MEMORY", long{8} << 30)); }

bool is_memory(Address at, size_t bytes) {
  return std::ranges::any_of(kept<Allocations>(), [&](const auto& allocation) {
    const auto& [begin, size] = allocation;
    return at >= begin && at + bytes <= begin + size;
  });
}

// What a call that needs the context answers before it looks at anything else.
Status state() {
  return lost ? kLaunchFailed : !initialized ? kNotInitialized : entered ? 0 : kInvalidContext;
}

void run_kernel(CFunction& f, unsigned groups, unsigned lanes, std::vector<uint64_t>& values) {
  if (number("LOST_AT", 0) > 0 && ++launched >= number("LOST_AT", 0)) lost = true;
  if (number("LOST_AT", 0) == 0) launched = 0;
  if (lost) return;
  std::vector<void*> parameters;
  for (uint64_t& value : values) parameters.push_back(&value);
  *f.lanes = {lanes, 1, 1};
  const auto again = [&](unsigned lane) { *f.lane = {lane, 0, 0}; };
  const std::function<void(unsigned)> lane = [&](unsigned number) {
    *f.lane = {number, 0, 0};
    f.run(parameters.data());
  };
  for (unsigned group = 0; group < groups; ++group) {
    *f.block = {group, 0, 0};
    run_group(lanes, lane, again);
  }
}

// Of an ELF file whose section table stands at its end.
size_t file_size(const void* image) {
  Elf64_Ehdr head;
  std::memcpy(&head, image, sizeof head);
  return head.e_shoff + size_t{head.e_shentsize} * head.e_shnum;
}

}  // namespace

#define COUNTED ++kept<Counts>()[__func__]
#define NEEDS_CONTEXT \
  COUNTED;            \
  if (const Status now = state(); now != 0) return now

namespace temper::fake_cuda {

std::mutex& running() { return kept<std::mutex>(); }

Status enqueue(CStream* stream, Command command) {
  if (stream->captured) {
    if (stream->by != std::this_thread::get_id()) return kCaptureUnsupported;
    stream->captured->commands.push_back(std::move(command));
    return 0;
  }
  const std::lock_guard lock(running());
  command();
  return lost ? kLaunchFailed : 0;
}

}  // namespace temper::fake_cuda

extern "C" {

int times_called(const char* name) { return kept<Counts>()[name]; }
void fake_cuda_heal() { lost = false; }
int fake_cuda_enqueue(CStream* stream, void (*work)(void*), void* data) {
  return enqueue(stream, [work, data] { work(data); });
}

Status cuInit(unsigned) {
  COUNTED;
  const auto answer = static_cast<Status>(number("INIT", 0));
  initialized = answer == 0;
  return answer;
}
Status cuDriverGetVersion(int* version) {
  *version = static_cast<int>(number("VERSION", 13000));
  return 0;
}
Status cuGetErrorName(Status status, const char** text) {
  *text = status == kOutOfMemory    ? "CUDA_ERROR_OUT_OF_MEMORY"
          : status == kNoDevice     ? "CUDA_ERROR_NO_DEVICE"
          : status == kLaunchFailed ? "CUDA_ERROR_LAUNCH_FAILED"
                                    : "CUDA_ERROR_OTHER";
  return 0;
}
Status cuGetErrorString(Status status, const char** text) {
  *text = status == kOutOfMemory ? "out of memory" : "it failed";
  return 0;
}
Status cuDeviceGetCount(int* count) {
  *count = static_cast<int>(number("DEVICES", 1));
  return initialized ? 0 : kNotInitialized;
}
Status cuDeviceGet(int* device, int number) {
  *device = number;
  return 0;
}
Status cuDeviceGetName(char* name, int size, int) {
  std::strncpy(name, "Fake GPU", static_cast<size_t>(size));
  return 0;
}
Status cuDeviceGetAttribute(int* value, int attribute, int) {
  *value = attribute == kMultiprocessors ? 4 : attribute == kCapabilityMajor ? 9 : 0;
  return 0;
}
Status cuDeviceGetPCIBusId(char* text, int size, int) {
  std::strncpy(text, "0000:01:00.0", static_cast<size_t>(size));
  return 0;
}
Status cuDeviceTotalMem_v2(size_t* bytes, int) {
  *bytes = memory();
  return 0;
}
Status cuDevicePrimaryCtxRetain(CContext** context, int) {
  static int there;
  *context = reinterpret_cast<CContext*>(&there);
  return initialized ? 0 : kNotInitialized;
}
Status cuCtxSetCurrent(CContext* context) {
  entered = context != nullptr;
  return lost ? kLaunchFailed : 0;
}

Status cuMemGetInfo_v2(size_t* left, size_t* all) {
  NEEDS_CONTEXT;
  *all = memory();
  *left = *all - std::min(*all, in_use());
  return 0;
}
Status cuMemAlloc_v2(Address* memory_out, size_t bytes) {
  NEEDS_CONTEXT;
  const std::lock_guard lock(running());
  if (in_use() + bytes > memory()) return kOutOfMemory;
  void* const made = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  std::memset(made, 0xA5, bytes);  // nobody may count on zeros
  *memory_out = static_cast<Address>(made);
  kept<Allocations>()[*memory_out] = bytes;
  return 0;
}
Status cuMemFree_v2(Address at) {
  COUNTED;
  const std::lock_guard lock(running());
  if (kept<Allocations>().erase(at) == 0) return kInvalidValue;
  std::free(at);
  return 0;
}
Status cuMemAllocHost_v2(void** memory_out, size_t bytes) {
  NEEDS_CONTEXT;
  *memory_out = std::malloc(bytes);
  return 0;
}
Status cuMemFreeHost(void* at) {
  std::free(at);
  return 0;
}

Status cuMemcpyHtoDAsync_v2(Address to, const void* from, size_t bytes, CStream* stream) {
  NEEDS_CONTEXT;
  if (!is_memory(to, bytes) || stream->captured) return kInvalidValue;
  return enqueue(stream, [=] { std::memcpy(to, from, bytes); });
}
Status cuMemcpyDtoHAsync_v2(void* to, Address from, size_t bytes, CStream* stream) {
  NEEDS_CONTEXT;
  if (!is_memory(from, bytes) || stream->captured) return kInvalidValue;
  return enqueue(stream, [=] { std::memcpy(to, from, bytes); });
}
Status cuMemcpyDtoDAsync_v2(Address to, Address from, size_t bytes, CStream* stream) {
  NEEDS_CONTEXT;
  if (!is_memory(from, bytes) || !is_memory(to, bytes)) return kInvalidValue;
  return enqueue(stream, [=] { std::memmove(to, from, bytes); });
}
Status cuMemsetD8Async(Address at, unsigned char value, size_t bytes, CStream* stream) {
  NEEDS_CONTEXT;
  if (!is_memory(at, bytes)) return kInvalidValue;
  return enqueue(stream, [=] { std::memset(at, value, bytes); });
}

Status cuStreamCreate(CStream** stream, unsigned) {
  NEEDS_CONTEXT;
  *stream = &*kept<std::vector<std::unique_ptr<CStream>>>().emplace_back(std::make_unique<CStream>());
  return 0;
}
Status cuStreamSynchronize(CStream* stream) {
  NEEDS_CONTEXT;
  return stream->captured ? kCaptureUnsupported : 0;
}
Status cuStreamWaitEvent(CStream* stream, CEvent*, unsigned) {
  NEEDS_CONTEXT;
  return stream->captured ? kCaptureUnsupported : 0;
}
Status cuEventCreate(CEvent** event, unsigned) {
  NEEDS_CONTEXT;
  static int there;
  *event = reinterpret_cast<CEvent*>(&there);
  return 0;
}
Status cuEventRecord(CEvent*, CStream*) {
  NEEDS_CONTEXT;
  return 0;
}
Status cuEventSynchronize(CEvent*) {
  NEEDS_CONTEXT;
  return 0;
}

Status cuModuleLoadData(CModule** module, const void* image) {
  NEEDS_CONTEXT;
  const int file = memfd_create("kernels", MFD_CLOEXEC);
  const size_t size = std::memcmp(image, ELFMAG, SELFMAG) == 0 ? file_size(image) : 0;
  void* library = nullptr;
  if (size > 0 && write(file, image, size) == static_cast<ssize_t>(size))
    library = dlopen(("/proc/self/fd/" + std::to_string(file)).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    close(file);
    return kNoBinaryForDevice;
  }
  *static_cast<void (**)()>(dlsym(library, "fake_wait")) = wait;
  *module = std::make_unique<CModule>().release();
  (*module)->library = library;
  (*module)->file = file;
  return 0;
}
Status cuModuleUnload(CModule* module) {
  COUNTED;
  const std::unique_ptr<CModule> owner(module);
  dlclose(owner->library);
  close(owner->file);
  return 0;
}
Status cuModuleGetFunction(CFunction** function, CModule* module, const char* name) {
  NEEDS_CONTEXT;
  const auto find = [&](const std::string& symbol) { return dlsym(module->library, symbol.c_str()); };
  void* const run = find(std::string(name) + "__run");
  if (!run) return kNotFound;
  auto made = std::make_unique<CFunction>();
  made->run = reinterpret_cast<void (*)(void**)>(run);
  made->parameters = *static_cast<int*>(find(std::string(name) + "__parameters"));
  made->block = static_cast<CFunction::Index*>(find("fake_block"));
  made->lane = static_cast<CFunction::Index*>(find("fake_lane"));
  made->lanes = static_cast<CFunction::Index*>(find("fake_lanes"));
  std::unique_ptr<CFunction>& place = module->functions[name];
  if (!place) place = std::move(made);
  *function = place.get();
  return 0;
}
Status cuLaunchKernel(CFunction* function, unsigned groups, unsigned, unsigned, unsigned lanes, unsigned,
                      unsigned, unsigned, CStream* stream, void** parameters, void**) {
  NEEDS_CONTEXT;
  if (groups == 0 || lanes == 0 || lanes > 1024 || 8 * function->parameters > 4096) return kInvalidValue;
  std::vector<uint64_t> values(static_cast<size_t>(function->parameters));
  for (size_t i = 0; i < values.size(); ++i) std::memcpy(&values[i], parameters[i], sizeof values[i]);
  return enqueue(stream, [=]() mutable { run_kernel(*function, groups, lanes, values); });
}

Status cuStreamBeginCapture_v2(CStream* stream, int) {
  NEEDS_CONTEXT;
  if (stream->captured) return kInvalidValue;
  stream->captured = std::make_unique<CGraph>().release();
  stream->by = std::this_thread::get_id();
  return 0;
}
Status cuStreamEndCapture(CStream* stream, CGraph** graph) {
  COUNTED;
  *graph = stream->captured;
  stream->captured = nullptr;
  return *graph ? 0 : kInvalidValue;
}
Status cuGraphInstantiateWithFlags(CGraphExec** made, CGraph* graph, unsigned long long) {
  NEEDS_CONTEXT;
  *made = std::make_unique<CGraphExec>(CGraphExec{graph->commands}).release();
  return 0;
}
Status cuGraphLaunch(CGraphExec* graph, CStream* stream) {
  NEEDS_CONTEXT;
  return enqueue(stream, [=] {
    for (const Command& command : graph->commands) command();
  });
}
Status cuGraphExecDestroy(CGraphExec* graph) {
  const std::unique_ptr<CGraphExec> owner(graph);
  return 0;
}
Status cuGraphDestroy(CGraph* graph) {
  const std::unique_ptr<CGraph> owner(graph);
  return 0;
}
}
