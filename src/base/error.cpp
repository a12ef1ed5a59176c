#include "temper/error.h"

#include "base/check.h"

namespace temper {

std::string_view to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid:
      return "invalid";
    case ErrorKind::unsupported:
      return "unsupported";
    case ErrorKind::not_found:
      return "not_found";
    case ErrorKind::corrupt:
      return "corrupt";
    case ErrorKind::exhausted:
      return "exhausted";
    case ErrorKind::device:
      return "device";
    case ErrorKind::internal:
      return "internal";
  }
  return "internal";
}

void check_failed(const char* condition, const char* file, int line, const std::string& message) {
  throw Error(ErrorKind::internal, concat("internal error at ", file, ":", line, ": ", condition,
                                          message.empty() ? "" : ": ", message, " (please report this)"));
}

}  // namespace temper
