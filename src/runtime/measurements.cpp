#include "runtime/measurements.h"

#include <filesystem>
#include <fstream>

#include "base/cache_folder.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/threads.h"
#include "base/version.h"
#include "temper/error.h"

namespace temper {

Measurements::Measurements(std::string_view part, std::string key) : key_(std::move(key)) {
  if (const std::optional<std::string> folder = cache_folder(part))
    path_ = concat(*folder, "/", hash_bytes(key_), ".json");
}

void Measurements::damaged(std::string_view why) const {
  log_warn("'", path_, "' is damaged (", why, "): what it held is measured again");
}

std::optional<Json> Measurements::find() const {
  std::error_code error;
  if (path_.empty() || !std::filesystem::exists(path_, error)) return std::nullopt;
  try {
    const Json file = Json::parse(MappedFile(path_).text());
    if (file.is_object() && file.at("key").is_string() && file.at("measured").is_object()) {
      if (file.at("key").text() == key_) return file.at("measured");
      return std::nullopt;  // another's of the same hash
    }
    damaged("it lacks `key` or `measured`");
  } catch (const Error& problem) {
    if (problem.kind() != ErrorKind::not_found) damaged(problem.what());
  }
  return std::nullopt;
}

void Measurements::keep(const Json& values) const {
  if (path_.empty()) return;
  Json file;
  file["key"] = key_;
  file["measured"] = values;
  try {
    write_file(path_, file.dump() + "\n");
  } catch (const Error&) {
    return;  // a full or read-only place: it works without
  }
}

std::string machine_text() {
  std::ifstream processors("/proc/cpuinfo");
  for (std::string line; std::getline(processors, line);)
    if (line.starts_with("model name"))
      return concat(trim(std::string_view(line).substr(line.find(':') + 1)), ", ", available_threads(),
                    " threads");
  return concat("a processor without a name, ", available_threads(), " threads");
}

std::string device_text(Device& device) {
  const DeviceFacts facts = device.facts();
  std::string text = concat("temper ", kVersion, "; ", machine_text(), "; ", device.name(), ", ",
                            facts.description, ", ", facts.target.threads, " threads");
  for (const auto& [key, fact] : facts.target.facts) text += concat("; ", key, " ", fact);
  return text;
}

}  // namespace temper
