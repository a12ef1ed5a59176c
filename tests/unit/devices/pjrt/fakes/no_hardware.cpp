// A plug-in whose client finds nothing, and says so in two lines.
#include <cstring>

#include "devices/pjrt/api.h"

namespace temper::pjrt {

struct CError {};
static CError the_error;

template <class Args>
static CError* succeed(Args*) {
  return nullptr;
}
static CError* fail(ClientCreateArgs*) { return &the_error; }
static void destroy(ErrorArgs*) {}
static void message(ErrorMessageArgs* args) {
  args->message = "no accelerator is here\nat some place";
  args->message_size = std::strlen(args->message);
}
static CError* code(ErrorCodeArgs* args) {
  args->code = 14;
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
    set(Function::plugin_initialize, succeed<PluginInitializeArgs>);
    set(Function::client_create, fail);
    return made;
  }();
  return &table.api;
}
