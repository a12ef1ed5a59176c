#pragma once
// What a person should know while temper works, on standard error. TEMPER_LOG=debug|info|warn|error|off sets
// how much (default info). From any thread.
#include <string_view>

#include "base/text.h"

namespace temper {

enum class LogLevel { debug, info, warn, error, off };

void set_log_level(LogLevel level);  // over TEMPER_LOG
LogLevel log_level();

void write_log(LogLevel level, std::string_view line);  // warn and error lines are headed by their level

template <class... Parts>
void log_debug(const Parts&... parts) {
  if (log_level() <= LogLevel::debug) write_log(LogLevel::debug, concat(parts...));
}
template <class... Parts>
void log_info(const Parts&... parts) {
  if (log_level() <= LogLevel::info) write_log(LogLevel::info, concat(parts...));
}
template <class... Parts>
void log_warn(const Parts&... parts) {
  if (log_level() <= LogLevel::warn) write_log(LogLevel::warn, concat(parts...));
}

}  // namespace temper
