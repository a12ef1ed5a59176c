#include <cstdio>

#include "base/text.h"
#include "cli/command.h"
#include "report/table.h"
#include "runtime/peaks.h"
#include "runtime/registry.h"
#include "temper/error.h"

namespace temper::cli {
namespace {

// Absent: numbers that are null.
Json describe_peaks(const DeviceFacts& facts) {
  const auto known = [](double value) { return value > 0 ? Json(value * 1e-9) : Json(); };
  Json peaks;
  peaks["f32_gflops"] = known(facts.peak_flops);
  peaks["bf16_gflops"] = known(facts.peak_bf16_flops);
  peaks["gbytes_per_second"] = known(facts.peak_bytes_per_second);
  peaks["upload_gbytes_per_second"] = known(facts.upload_bytes_per_second);
  peaks["launch_microseconds"] = facts.launch_seconds > 0 ? Json(facts.launch_seconds * 1e6) : Json();
  return peaks;
}

std::string facts_text(std::string_view name, const DeviceFacts& facts) {
  std::string text = concat(name, "  ", facts.description, "\n");
  for (const auto& [key, fact] : facts.target.facts) text += concat("  ", key, ": ", fact, "\n");
  if (facts.target.memory_bytes > 0) text += concat("  memory: ", byte_text(facts.target.memory_bytes), "\n");
  if (facts.peak_flops > 0)
    text +=
        concat("  measured: ", short_number(facts.peak_flops * 1e-9), " GFLOP/s f32, ",
               facts.peak_bf16_flops > 0 ? concat(short_number(facts.peak_bf16_flops * 1e-9), " bf16, ") : "",
               short_number(facts.peak_bytes_per_second * 1e-9), " GB/s, ",
               short_number(facts.upload_bytes_per_second * 1e-9), " GB/s from the host, ",
               short_number(facts.launch_seconds * 1e6), " us a launch\n");
  return text +
         concat("  energy: ", facts.power_counter.empty() ? "no counter answers" : facts.power_counter, "\n");
}

Json describe(const DeviceKind& kind, std::string_view name, bool refresh, std::string& text) {
  Json object;
  object["name"] = name;
  object["kind"] = kind.name;
  DeviceFacts facts;
  try {
    Device& device = open_device(name);
    facts = kept_peaks(device, refresh);
    object["present"] = true;
    object["why"] = Json();
    object["description"] = facts.description;
    object["threads"] = facts.target.threads;
    for (const auto& [key, fact] : facts.target.facts) object["facts"][key] = fact;
    text += facts_text(device.name(), facts);
  } catch (const Error& error) {
    object["present"] = false;
    object["why"] = error.what();
    text += concat(name, "  absent: ", error.what(), "\n");
  }
  object["memory_bytes"] = facts.target.memory_bytes > 0 ? Json(facts.target.memory_bytes) : Json();
  object["peaks"] = describe_peaks(facts);
  object["energy_source"] = facts.power_counter.empty() ? Json() : Json(facts.power_counter);
  return object;
}

}  // namespace

int devices(const std::vector<std::string>& words) {
  Arguments arguments("devices", "Every device found, its facts, and for each one absent why.",
                      "temper devices", words);
  Common common;
  bool refresh = false;
  arguments.flag("refresh", refresh, "measure anew what was measured before on this machine");
  common.declare(arguments);
  if (!arguments.parse()) return 0;
  Json result = result_head("devices");
  std::string text;
  for (const DeviceKind& kind : device_kinds()) {
    const std::vector<std::string> names =
        kind.present ? kind.present() : std::vector{std::string(kind.name)};
    for (const std::string& name : names) result["devices"].push_back(describe(kind, name, refresh, text));
  }
  if (!common.json) std::fputs(text.c_str(), stdout);
  return finish(common, result);
}

}  // namespace temper::cli
