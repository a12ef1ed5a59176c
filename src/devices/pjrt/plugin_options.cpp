#include "devices/pjrt/plugin_options.h"

#include <cstdlib>

#include "base/text.h"
#include "temper/error.h"

namespace temper::pjrt {

static std::string_view from_environment() {
  const char* const text = std::getenv("TEMPER_PJRT_OPTIONS");
  return text ? text : "";
}

PluginOptions::PluginOptions() : PluginOptions(from_environment()) {}

PluginOptions::PluginOptions(std::string_view text) {
  for (const std::string_view part : split(text, ',')) {
    if (part.empty()) continue;
    const size_t equals = part.find('=');
    if (equals == std::string_view::npos || equals == 0)
      throw Error(ErrorKind::invalid,
                  concat("TEMPER_PJRT_OPTIONS: expected NAME=VALUE, found \"", part, "\""));
    const std::string& name = texts_.emplace_back(part.substr(0, equals));
    const std::string& value = texts_.emplace_back(part.substr(equals + 1));
    NamedValue option{};
    option.head.struct_size = sizeof option;
    option.name = name.data();
    option.name_size = name.size();
    option.value_size = 1;
    double real = 0;
    if (parse_number(value, option.integer_value)) {
      option.type = NamedValue::integer;
    } else if (value == "true" || value == "false") {
      option.type = NamedValue::boolean;
      option.boolean_value = value == "true";
    } else if (parse_number(value, real)) {
      option.type = NamedValue::real;
      option.real_value = static_cast<float>(real);
    } else {
      option.type = NamedValue::text;
      option.text_value = value.data();
      option.value_size = value.size();
    }
    values_.push_back(option);
  }
}

}  // namespace temper::pjrt
