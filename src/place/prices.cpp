#include "place/prices.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

#include "base/text.h"
#include "prices_text.h"
#include "temper/error.h"

namespace temper {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const std::string& file, const toml::node& node, std::string_view what) {
  throw Error(ErrorKind::invalid, concat(file, ", line ", node.source().begin.line, ": ", what))
      .in_file(file);
}

std::string word(const std::string& file, std::string_view key, const toml::node& node) {
  const auto* text = node.as_string();
  if (!text) refuse(file, node, concat(key, ": expected a text in quotes"));
  return text->get();
}

fs::path config_file() {
  const char* own = std::getenv("XDG_CONFIG_HOME");
  if (own && fs::path(own).is_absolute()) return fs::path(own) / "temper" / "prices.toml";
  const char* home = std::getenv("HOME");
  return home && *home ? fs::path(home) / ".config" / "temper" / "prices.toml" : fs::path();
}

// Unit and date are those of the last that has any.
void lay_over(Prices& prices, Prices own) {
  if (!own.unit.empty()) prices.unit = std::move(own.unit);
  if (!own.date.empty()) prices.date = std::move(own.date);
  for (const auto& [device, price] : own.per_hour) prices.per_hour[device] = price;
  prices.file = std::move(own.file);
}

Prices read_file(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  if (!in || !(text << in.rdbuf()))
    throw Error(ErrorKind::not_found, concat("there is no file of prices ", file, ", or it cannot be read"))
        .in_file(file);
  return parse_prices(text.view(), file);
}

}  // namespace

std::optional<double> Prices::of(std::string_view device) const {
  while (!device.empty()) {
    if (const auto found = per_hour.find(device); found != per_hour.end()) return found->second;
    const size_t colon = device.rfind(':');
    device = device.substr(0, colon == std::string_view::npos ? 0 : colon);
  }
  return std::nullopt;
}

Prices parse_prices(std::string_view text, const std::string& file) {
  Prices prices{.file = file};
  try {
    const toml::table table = toml::parse(text, file);
    for (const auto& [key, node] : table) {
      if (key == "unit") {
        prices.unit = word(file, key.str(), node);
      } else if (key == "date") {
        prices.date = word(file, key.str(), node);
      } else if (key == "prices" && node.is_table()) {
        for (const auto& [device, price] : *node.as_table()) {
          const std::optional<double> value = price.value<double>();
          if (!value || !price.is_number() || !std::isfinite(*value) || *value < 0)
            refuse(file, price, concat("prices.", device.str(), ": expected a number from 0"));
          prices.per_hour[std::string(device.str())] = *value;
        }
      } else {
        refuse(file, node,
               concat("unknown key \"", key.str(), "\"; known are unit, date and the table [prices]"));
      }
    }
  } catch (const toml::parse_error& error) {
    throw Error(ErrorKind::invalid, concat(file, ", line ", error.source().begin.line, ", column ",
                                           error.source().begin.column, ": ", error.description()))
        .in_file(file);
  }
  return prices;
}

Prices read_prices(const std::string& file) {
  Prices prices = parse_prices(kPricesText, "prices.toml");
  prices.file.clear();
  std::error_code error;
  if (const fs::path config = config_file(); !config.empty() && fs::exists(config, error))
    lay_over(prices, read_file(config.string()));
  if (!file.empty()) lay_over(prices, read_file(file));
  return prices;
}

}  // namespace temper
