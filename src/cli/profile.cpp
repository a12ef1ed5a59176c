#include <algorithm>
#include <cstdio>
#include <map>

#include "base/text.h"
#include "cli/command.h"
#include "report/table.h"
#include "train/memory.h"

namespace temper::cli {

Json describe_profile(std::vector<LaunchProfile> launches) {
  std::ranges::stable_sort(launches, std::ranges::greater(), &LaunchProfile::seconds);
  Json list = Json::array();
  for (const LaunchProfile& launch : launches) {
    const double runs = static_cast<double>(std::max<int64_t>(1, launch.runs)),
                 seconds = launch.seconds / runs;
    Json entry;
    entry["name"] = launch.name;
    entry["kind"] = launch.again ? launch.kind + ", again" : launch.kind;
    entry["ms"] = seconds * 1e3;
    entry["flops"] = launch.flops;
    entry["bytes"] = launch.bytes;
    list.push_back(entry);
  }
  return list;
}

Json describe_cost(const Executable& executable, int64_t state_bytes) {
  int64_t reorders = 0, bytes = 0;
  const std::vector<LaunchProfile> launches = executable.launches();
  for (const LaunchProfile& launch : launches) {
    reorders += launch.kind == "reorder" || launch.kind == "copy";
    bytes += launch.bytes;
  }
  Json plan;
  plan["launches"] = launches.size();
  plan["reorders"] = reorders;
  plan["bytes"] = bytes;
  plan["arena_bytes"] = executable.program().memory.temporaries;
  plan["state_bytes"] = state_bytes;
  return plan;
}

Json describe_memory(const Executable& executable, int64_t limit, int64_t left) {
  const Repeated more = repeated(executable.launches());
  Json memory;
  memory["allowed"] = limit;
  memory["needed"] = limit - left + executable.program().memory.total();
  memory["arena_bytes"] = executable.program().memory.temporaries;
  memory["arena_bytes_without"] = executable.program().memory.plain_temporaries;
  memory["repeated_launches"] = more.launches;
  memory["more_flops"] = more.flops;
  memory["more_bytes"] = more.bytes;
  memory["text"] = memory_text(executable, limit, left);
  return memory;
}

void print_profile(const Json& launches) {
  double total = 0;
  for (const Json& launch : launches.items()) total += launch.at("ms").number();
  TextTable table({"launch", "kind", "ms", "share", "GFLOP/s", "GB/s"});
  for (const Json& launch : launches.items()) {
    const double ms = launch.at("ms").number();
    const auto rate = [&](const char* key) {
      return ms > 0 ? short_number(launch.at(key).number() / ms * 1e-6) : std::string();
    };
    table.row({launch.at("name").text(), launch.at("kind").text(), short_number(ms),
               percent_text(total > 0 ? ms / total : 0), rate("flops"), rate("bytes")});
  }
  std::fputs(concat("\n", table.text()).c_str(), stdout);
}

}  // namespace temper::cli
