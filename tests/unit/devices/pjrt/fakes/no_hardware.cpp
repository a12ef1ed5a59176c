// A plug-in whose client finds nothing, and says so in two lines.
#include <cstring>

#include "devices/pjrt/api.h"

namespace temper::pjrt {

struct CError {};
static CError the_error;

static CError* succeed(void*) { return nullptr; }
static CError* fail(void*) { return &the_error; }
static void destroy(void*) {}
static void message(void* args) {
  auto& asked = *static_cast<ErrorMessageArgs*>(args);
  asked.message = "no accelerator is here\nat some place";
  asked.message_size = std::strlen(asked.message);
}
static CError* code(void* args) {
  static_cast<ErrorCodeArgs*>(args)->code = 14;
  return nullptr;
}

struct Table {
  Api api;
  void* more[127];
};

}  // namespace temper::pjrt

extern "C" const temper::pjrt::Api* GetPjrtApi() {
  using namespace temper::pjrt;
  static Table table = [] {
    Table made{};
    made.api.struct_size = sizeof made;
    const auto set = [&](Function function, auto* call) {
      made.api.functions[static_cast<size_t>(function)] = reinterpret_cast<void*>(call);
    };
    set(Function::error_destroy, destroy);
    set(Function::error_message, message);
    set(Function::error_get_code, code);
    set(Function::plugin_initialize, succeed);
    set(Function::client_create, fail);
    return made;
  }();
  return &table.api;
}
