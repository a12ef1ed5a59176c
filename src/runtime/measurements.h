#pragma once
// What was measured on this machine, kept in the cache folder as JSON: it holds until the machine, a driver
// or temper changes.
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "runtime/device.h"

namespace temper {

class Measurements {
 public:
  // In the folder `part`, by all that they depend on.
  Measurements(std::string_view part, std::string key);

  // None if there are none; a file that is damaged is said on the log and counts as none.
  std::optional<Json> find() const;
  void keep(const Json& values) const;       // nothing happens where nothing can be kept
  void damaged(std::string_view why) const;  // says so

 private:
  std::string path_, key_;  // path empty: nothing is kept
};

// This processor and how many of its threads may be used.
std::string machine_text();
// The machine, the device, its driver's version and temper's own.
std::string device_text(Device& device);

}  // namespace temper
