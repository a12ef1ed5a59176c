#include "base/dynamic_library.h"

#include <dlfcn.h>

#include "base/text.h"
#include "temper/error.h"

namespace temper {

DynamicLibrary DynamicLibrary::open(std::initializer_list<const char*> names) {
  std::string reasons;
  for (const char* name : names) {
    if (void* handle = dlopen(name, RTLD_NOW | RTLD_LOCAL)) {
      return {name, std::shared_ptr<void>(handle, [](void* library) { dlclose(library); })};
    }
    reasons += concat(reasons.empty() ? "" : "; ", dlerror());
  }
  throw Error(ErrorKind::not_found, concat("cannot open a library: ", reasons));
}

void* DynamicLibrary::find(const char* symbol) const { return dlsym(handle_.get(), symbol); }

void* DynamicLibrary::require(const char* symbol) const {
  void* address = find(symbol);
  if (!address)
    throw Error(ErrorKind::not_found, concat("library '", name_, "' has no function '", symbol, "'"));
  return address;
}

}  // namespace temper
