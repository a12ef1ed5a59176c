#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <cstdlib>

namespace temper {
namespace {

struct Level {
  std::string_view name;
  spdlog::level::level_enum level;
};
constexpr std::array<Level, 5> kLevels = {{{"debug", spdlog::level::debug},
                                           {"info", spdlog::level::info},
                                           {"warn", spdlog::level::warn},
                                           {"error", spdlog::level::err},
                                           {"off", spdlog::level::off}}};

std::shared_ptr<spdlog::logger> make_logger() {
  auto logger = std::make_shared<spdlog::logger>("temper", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%v");
  logger->set_level(spdlog::level::info);
  const char* wanted = std::getenv("TEMPER_LOG");
  if (!wanted || !*wanted) return logger;
  for (const Level& level : kLevels) {
    if (level.name != wanted) continue;
    logger->set_level(level.level);
    return logger;
  }
  logger->warn("warning: TEMPER_LOG is '{}'; expected debug, info, warn, error or off", wanted);
  return logger;
}

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = make_logger();
  return *instance;
}

}  // namespace

void set_log_level(LogLevel level) { logger().set_level(kLevels[static_cast<size_t>(level)].level); }

LogLevel log_level() {
  size_t i = 0;
  while (kLevels[i].level != logger().level()) ++i;
  return static_cast<LogLevel>(i);
}

void write_log(LogLevel level, std::string_view line) {
  const std::string_view head = level == LogLevel::warn    ? "warning: "
                                : level == LogLevel::error ? "error: "
                                                           : "";
  logger().log(kLevels[static_cast<size_t>(level)].level, "{}{}", head, line);
}

}  // namespace temper
