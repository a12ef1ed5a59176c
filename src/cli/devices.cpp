#include <cstdio>

#include "base/text.h"
#include "cli/command.h"
#include "report/table.h"
#include "runtime/registry.h"
#include "temper/error.h"

namespace temper::cli {
namespace {

Json describe(const DeviceKind& kind, std::string_view name, std::string& text) {
  Json object;
  object["kind"] = kind.name;
  object["name"] = name;
  try {
    Device& device = open_device(name);
    const DeviceFacts facts = device.measure();
    object["available"] = true;
    object["description"] = facts.description;
    object["threads"] = facts.target.threads;
    object["memory_bytes"] = facts.target.memory_bytes;
    object["peak_gflops"] = facts.peak_flops > 0 ? Json(facts.peak_flops * 1e-9) : Json();
    object["peak_bf16_gflops"] = facts.peak_bf16_flops > 0 ? Json(facts.peak_bf16_flops * 1e-9) : Json();
    object["peak_gbytes_per_second"] =
        facts.peak_bytes_per_second > 0 ? Json(facts.peak_bytes_per_second * 1e-9) : Json();
    object["power_counter"] = facts.power_counter.empty() ? Json() : Json(facts.power_counter);
    text += concat(device.name(), "  ", facts.description, "\n");
    for (const auto& [name, fact] : facts.target.facts) {
      object["facts"][name] = fact;
      text += concat("  ", name, ": ", fact, "\n");
    }
    if (facts.target.memory_bytes > 0)
      text += concat("  memory: ", byte_text(facts.target.memory_bytes), "\n");
    if (facts.peak_flops > 0)
      text += concat(
          "  measured: ", short_number(facts.peak_flops * 1e-9), " GFLOP/s f32, ",
          facts.peak_bf16_flops > 0 ? concat(short_number(facts.peak_bf16_flops * 1e-9), " bf16, ") : "",
          short_number(facts.peak_bytes_per_second * 1e-9), " GB/s\n");
    text += concat("  power counter: ", facts.power_counter.empty() ? "none" : facts.power_counter, "\n");
  } catch (const Error& error) {
    object["available"] = false;
    object["why"] = error.what();
    text += concat(name, "  absent: ", error.what(), "\n");
  }
  return object;
}

}  // namespace

int devices(const std::vector<std::string>& words) {
  Arguments arguments("devices", "Every device found, its facts, and for each one absent why.",
                      "temper devices", words);
  Common common;
  common.declare(arguments);
  if (!arguments.parse()) return 0;
  Json result = result_head("devices");
  std::string text;
  for (const DeviceKind& kind : device_kinds()) {
    const std::vector<std::string> names =
        kind.present ? kind.present() : std::vector{std::string(kind.name)};
    for (const std::string& name : names) result["devices"].push_back(describe(kind, name, text));
  }
  if (!common.json) std::fputs(text.c_str(), stdout);
  return finish(common, result);
}

}  // namespace temper::cli
