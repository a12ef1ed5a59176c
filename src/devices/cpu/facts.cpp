// What kind of processor this is.
#include <cpuid.h>
#include <oneapi/dnnl/dnnl.h>

#include <cstring>

#include "base/memory.h"
#include "base/text.h"
#include "base/threads.h"
#include "devices/cpu/cpu.h"

namespace temper::cpu {

namespace {

// Brand string, CPUID leaves 0x80000002 to 0x80000004.
std::string model_name() {
  char text[49] = {};
  unsigned highest = __get_cpuid_max(0x80000000, nullptr);
  if (highest < 0x80000004) return "unknown processor";
  for (unsigned leaf = 0; leaf < 3; ++leaf) {
    unsigned words[4];
    __get_cpuid(0x80000002 + leaf, &words[0], &words[1], &words[2], &words[3]);
    std::memcpy(text + leaf * 16, words, 16);
  }
  return std::string(trim(text));
}

// The widest set of vector instructions, then what it has for small types.
std::string instruction_set() {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2")) return __builtin_cpu_supports("sse4.2") ? "sse4.2" : "sse2";
  if (!__builtin_cpu_supports("avx512bw")) return "avx2";
  std::string isa = "avx512";
  if (__builtin_cpu_supports("avx512vnni")) isa += "+vnni";
  if (__builtin_cpu_supports("avx512bf16")) isa += "+bf16";
  return isa;
}

}  // namespace

TargetFacts host_facts() {
  const dnnl_version_t& version = *dnnl_version();
  return {.name = "cpu",
          .facts = {{"model", model_name()},
                    {"isa", instruction_set()},
                    {"onednn", concat(version.major, ".", version.minor, ".", version.patch)}},
          .threads = available_threads(),
          .memory_bytes = available_memory_bytes()};
}

}  // namespace temper::cpu
