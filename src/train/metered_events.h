#pragma once
// Passes on what a run tells, with the energy of each epoch.
#include <chrono>

#include "base/energy.h"
#include "train/events.h"

namespace temper {

class MeteredEvents : public TrainEvents {
 public:
  explicit MeteredEvents(TrainEvents& to, const std::string& sys = "/sys") : to_(to), meter_(sys) {}

  void progress(std::string_view phase, int64_t done, int64_t total, const NamedNumbers& values) override {
    follow();
    to_.progress(phase, done, total, values);
  }
  void epoch(const EpochReport& report) override {
    EpochReport metered = report;
    if (const std::optional<double> now = meter_.joules()) {
      metered.joules = *now - before_;
      of_epochs_ += *metered.joules;
      before_ = *now;
    }
    ++epochs_;
    to_.epoch(metered);
  }
  void note(std::string_view text) override { to_.note(text); }
  void warning(std::string_view text) override { to_.warning(text); }

  EnergyMeter& meter() { return meter_; }
  // From the first epoch's report on; the first one's includes what came before it.
  std::optional<double> joules_per_epoch() const {
    return epochs_ > 0 && !meter_.source().empty() ? std::optional(of_epochs_ / static_cast<double>(epochs_))
                                                   : std::nullopt;
  }

 private:
  // Counters begin again after a minute of full load on large machines.
  void follow() {
    const auto now = std::chrono::steady_clock::now();
    if (now - read_ < std::chrono::seconds(5)) return;
    read_ = now;
    meter_.joules();
  }

  TrainEvents& to_;
  EnergyMeter meter_;
  std::chrono::steady_clock::time_point read_ = std::chrono::steady_clock::now();
  double before_ = 0, of_epochs_ = 0;
  int64_t epochs_ = 0;
};

}  // namespace temper
