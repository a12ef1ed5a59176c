#include "nn/schedules.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/text.h"
#include "temper/error.h"

namespace temper::nn {

Schedule parse_schedule(std::string_view text, int64_t epochs) {
  const auto parts = split(text, ':');
  const auto refuse = [&](std::string_view wanted) {
    throw Error(ErrorKind::invalid, concat("schedule: expected ", wanted, ", found \"", text, "\""));
  };
  Schedule schedule;
  if (parts[0] == "constant" || parts[0] == "cosine") {
    if (parts.size() > 1) refuse(concat(parts[0], " alone"));
    schedule.kind = parts[0] == "cosine" ? Schedule::cosine : Schedule::constant;
    return schedule;
  }
  if ((parts[0] != "step" && parts[0] != "plateau") || parts.size() > 3) {
    refuse("constant, step[:EPOCHS[:FACTOR]], cosine or plateau[:EPOCHS[:FACTOR]]");
  }
  schedule.kind = parts[0] == "step" ? Schedule::step : Schedule::plateau;
  schedule.epochs = schedule.kind == Schedule::step ? std::max<int64_t>(1, (epochs + 2) / 3) : 3;
  if (parts.size() > 1 && (!parse_number(parts[1], schedule.epochs) || schedule.epochs < 1)) {
    refuse("epochs of at least 1 after the first colon");
  }
  if (parts.size() > 2 &&
      (!parse_number(parts[2], schedule.factor) || !(schedule.factor > 0 && schedule.factor < 1))) {
    refuse("a factor between 0 and 1 after the second colon");
  }
  return schedule;
}

double learning_rate(const Schedule& s, int64_t step, int64_t drops) {
  if (step < s.warmup) return s.lr * static_cast<double>(step + 1) / static_cast<double>(s.warmup);
  switch (s.kind) {
    case Schedule::constant:
      return s.lr;
    case Schedule::step: {
      const int64_t passed = step / std::max<int64_t>(1, s.steps_per_epoch) / s.epochs;
      return s.lr * std::pow(s.factor, static_cast<double>(passed));
    }
    case Schedule::plateau:
      return s.lr * std::pow(s.factor, static_cast<double>(drops));
    case Schedule::cosine: {
      const int64_t span = std::max<int64_t>(1, s.total_steps - s.warmup);
      const double done = std::min(1.0, static_cast<double>(step - s.warmup) / static_cast<double>(span));
      return s.lr * 0.5 * (1 + std::cos(std::numbers::pi * done));
    }
  }
  return s.lr;
}

void Plateau::observe(const Schedule& schedule, double value) {
  if (value < best) {
    best = value;
    waited = 0;
  } else if (++waited > schedule.epochs) {  // as PyTorch: patience epochs are waited, the next one drops
    waited = 0;
    ++drops;
  }
}

}  // namespace temper::nn
