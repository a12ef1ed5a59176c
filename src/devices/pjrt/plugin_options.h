#pragma once
// TEMPER_PJRT_OPTIONS: what a plug-in's client is made with.
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "devices/pjrt/api.h"

namespace temper::pjrt {

// NAME=VALUE, separated by commas: integers, true or false, numbers with a point, else words. Which names
// there are is up to the plug-in: `cpu_device_count`, `memory_fraction`.
class PluginOptions {
 public:
  PluginOptions();  // Error invalid: a part without `=`
  explicit PluginOptions(std::string_view text);
  PluginOptions(const PluginOptions&) = delete;
  PluginOptions& operator=(const PluginOptions&) = delete;
  std::span<const NamedValue> values() const { return values_; }

 private:
  std::deque<std::string> texts_;  // what values_ points to
  std::vector<NamedValue> values_;
};

}  // namespace temper::pjrt
