// The plug-in that TEMPER_COUNTED_PLUGIN names, until it does what TEMPER_FAILURE says: `abort` or `refuse`
// when it is to compile, or `lost:N`: run N times, then say that the device is gone.
#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <string_view>

#include "devices/pjrt/api.h"

namespace temper::pjrt {

struct CError {
  const char* text;
};

namespace {

using Call = CError* (*)(void*);
using Tell = void (*)(void*);

CError gone{"the device is gone\nsince a moment"}, refused{"this program is too hard"};
Tell inner_message, inner_destroy;
Call inner_code, inner_compile, inner_execute;
long runs_left = 0;

std::string_view failure() {
  const char* const text = std::getenv("TEMPER_FAILURE");
  return text ? text : "";
}

bool is_own(const CError* error) { return error == &gone || error == &refused; }

void message(void* args) {
  auto& asked = *static_cast<ErrorMessageArgs*>(args);
  if (!is_own(asked.error)) return inner_message(args);
  asked.message = asked.error->text;
  asked.message_size = std::strlen(asked.message);
}

CError* code(void* args) {
  auto& asked = *static_cast<ErrorCodeArgs*>(args);
  if (!is_own(asked.error)) return inner_code(args);
  asked.code = 13;
  return nullptr;
}

void destroy(void* args) {
  if (!is_own(static_cast<ErrorArgs*>(args)->error)) inner_destroy(args);
}

CError* compile(void* args) {
  if (failure() == "abort") std::abort();
  return failure() == "refuse" ? &refused : inner_compile(args);
}

CError* execute(void* args) {
  if (failure().starts_with("lost:") && runs_left-- == 0) return ++runs_left, &gone;
  return inner_execute(args);
}

template <class Entry>
void wrap(void** functions, Function function, Entry own, Entry& inner) {
  void*& entry = functions[static_cast<size_t>(function)];
  inner = reinterpret_cast<Entry>(entry);
  entry = reinterpret_cast<void*>(own);
}

}  // namespace
}  // namespace temper::pjrt

extern "C" const temper::pjrt::Api* GetPjrtApi() {
  using namespace temper::pjrt;
  static char copy[4096];
  void* const library = dlopen(std::getenv("TEMPER_COUNTED_PLUGIN"), RTLD_NOW | RTLD_LOCAL);
  if (!library) return nullptr;
  const Api* const api = reinterpret_cast<const Api* (*)()>(dlsym(library, "GetPjrtApi"))();
  if (api->struct_size > sizeof copy) return nullptr;
  std::memcpy(copy, api, api->struct_size);
  void** const functions = reinterpret_cast<Api*>(copy)->functions;
  wrap(functions, Function::error_message, message, inner_message);
  wrap(functions, Function::error_get_code, code, inner_code);
  wrap(functions, Function::error_destroy, destroy, inner_destroy);
  wrap(functions, Function::client_compile, compile, inner_compile);
  wrap(functions, Function::loaded_executable_execute, execute, inner_execute);
  if (failure().starts_with("lost:")) runs_left = std::atol(std::getenv("TEMPER_FAILURE") + 5);
  return reinterpret_cast<const Api*>(copy);
}
