#pragma once
// What an hour of a device costs: editable TOML.
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace temper {

struct Prices {
  std::string unit, date;  // "USD per hour", "2025-06"
  std::map<std::string, double, std::less<>> per_hour;
  std::string file;  // where they are from; empty: what temper brings

  // Of "pjrt:cpu:2" the first that is known of "pjrt:cpu:2", "pjrt:cpu", "pjrt".
  std::optional<double> of(std::string_view device) const;
};

// Those that temper brings; over them the config folder's prices.toml, if there is one; over these `file`, if
// it is not empty. Error not_found, or invalid with line and column for what is no price.
Prices read_prices(const std::string& file);
Prices parse_prices(std::string_view text, const std::string& file);

}  // namespace temper
