// A plug-in of an API that is not ours.
#include "devices/pjrt/api.h"

extern "C" const temper::pjrt::Api* GetPjrtApi() {
  static const temper::pjrt::Api api{.struct_size = sizeof api,
                                     .extension_start = nullptr,
                                     .pjrt_api_version = {sizeof api.pjrt_api_version, nullptr, 7, 3},
                                     .functions = {}};
  return &api;
}
