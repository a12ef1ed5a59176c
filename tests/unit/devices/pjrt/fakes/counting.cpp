// The plug-in that TEMPER_COUNTED_PLUGIN names, with some calls counted.
#include <dlfcn.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include "devices/pjrt/api.h"

namespace {

using temper::pjrt::Api;
using temper::pjrt::CError;
using temper::pjrt::Function;
using Call = CError* (*)(void*);

constexpr std::array kCounted{Function::loaded_executable_execute, Function::buffer_to_host_buffer,
                              Function::client_buffer_from_host_buffer, Function::client_compile,
                              Function::executable_deserialize_and_load};
std::array<Call, kCounted.size()> inner;
std::array<int, kCounted.size()> counts;

template <size_t i>
CError* counted(void* args) {
  ++counts[i];
  return inner[i](args);
}

template <size_t... i>
void wrap(void** functions, std::index_sequence<i...>) {
  ((inner[i] = reinterpret_cast<Call>(functions[static_cast<size_t>(kCounted[i])]),
    functions[static_cast<size_t>(kCounted[i])] = reinterpret_cast<void*>(counted<i>)),
   ...);
}

}  // namespace

extern "C" int times_called(Function function) {
  for (size_t i = 0; i < kCounted.size(); ++i) {
    if (kCounted[i] == function) return counts[i];
  }
  return -1;
}

extern "C" const Api* GetPjrtApi() {
  static char copy[4096];
  void* const library = dlopen(std::getenv("TEMPER_COUNTED_PLUGIN"), RTLD_NOW | RTLD_LOCAL);
  if (!library) return nullptr;
  const Api* const api = reinterpret_cast<const Api* (*)()>(dlsym(library, "GetPjrtApi"))();
  if (api->struct_size > sizeof copy) return nullptr;
  std::memcpy(copy, api, api->struct_size);
  wrap(reinterpret_cast<Api*>(copy)->functions, std::make_index_sequence<kCounted.size()>());
  return reinterpret_cast<const Api*>(copy);
}
