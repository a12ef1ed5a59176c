#include "place/race.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/text.h"
#include "runtime/measurements.h"
#include "runtime/registry.h"
#include "temper/error.h"

namespace temper {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostRounds = 10;
constexpr double kClearly = 0.95;  // of the best time so far
constexpr double kCompilers = 10;  // how much longer than the first another may take

Measurements choice_file(const std::string& model, bool trains) {
  std::error_code error;
  std::string text = model;
  const fs::path path = fs::weakly_canonical(model, error);
  if (fs::is_regular_file(path, error))
    text = concat(path.string(), ", ", static_cast<int64_t>(fs::file_size(path, error)), " bytes, ",
                  static_cast<int64_t>(fs::last_write_time(path, error).time_since_epoch().count()));
  return {"choices", concat(machine_text(), trains ? "; training " : "; inference ", text)};
}

double step_seconds(const std::vector<Lap>& laps, const std::function<double()>& now) {
  double seconds = 0;
  for (const Lap& lap : laps) {
    const double begin = now();
    lap.run();
    seconds += lap.times * (now() - begin);
  }
  return seconds;
}

std::string milliseconds(double seconds) {
  const double ms = seconds * 1e3;
  return concat(std::round(ms * (ms < 10 ? 100 : 10)) / (ms < 10 ? 100 : 10), " ms");
}

}  // namespace

double race_budget(double job_seconds) {
  constexpr double kShare = 0.1, kMost = 10;
  return std::min(kMost, kShare * job_seconds);
}

RaceResult race(const std::vector<Entrant>& entrants, const std::function<double(double)>& budget,
                const std::function<double()>& now) {
  RaceResult all;
  const double start = now();
  std::optional<double> until, compiling;  // when the budget is spent; what the first compiler took
  double best = 0;
  for (size_t i = 0; i < entrants.size(); ++i) {
    RaceResult::Result& result = all.results.emplace_back();
    result.device = entrants[i].device;
    const double begin = now();
    if (until && (begin >= *until || begin + kCompilers * *compiling > *until)) {
      result.skipped = true;
      result.why = begin >= *until ? "the time for choosing was used up"
                                   : "the job is too short to compile it for this";
      continue;
    }
    try {
      const std::vector<Lap> laps = entrants[i].prepare();
      const double prepared = now();
      for (const Lap& lap : laps) lap.run();
      result.rounds = 1;
      double seconds = step_seconds(laps, now);
      if (!until) until = start + budget(seconds), compiling = prepared - begin;
      const double own = begin + (*until - begin) / static_cast<double>(entrants.size() - i);
      for (result.rounds = 2; result.rounds <= kMostRounds && now() < own; ++result.rounds)
        seconds = std::min(seconds, step_seconds(laps, now));
      result.seconds = seconds;
    } catch (const Error& error) {
      result.why = error.what();
      continue;
    }
    if (all.winner >= 0 && *result.seconds >= kClearly * best) continue;
    all.winner = static_cast<int>(i);
    best = *result.seconds;
  }
  all.seconds = now() - start;
  return all;
}

std::string to_string(const RaceResult& all) {
  std::vector<std::string> texts;
  for (const RaceResult::Result& result : all.results)
    texts.push_back(concat(result.device,
                           result.seconds ? concat(" ", milliseconds(*result.seconds)) : ": " + result.why));
  return join(texts, ", ");
}

std::vector<std::string> device_names() {
  std::vector<std::string> names;
  for (const DeviceKind& kind : device_kinds()) {
    if (!kind.computes) continue;
    for (std::string& name : kind.present ? kind.present() : std::vector{std::string(kind.name)})
      names.push_back(std::move(name));
  }
  std::ranges::stable_partition(names, [](const std::string& name) { return name == "cpu"; });
  return names;
}

std::optional<Remembered> remembered_device(const std::string& model, bool trains) {
  const Measurements file = choice_file(model, trains);
  const std::optional<Json> kept = file.find();
  if (!kept) return std::nullopt;
  const Json &device = kept->at("device"), &seconds = kept->at("step_seconds"),
             &evidence = kept->at("evidence");
  if (device.is_string() && seconds.is_number() && std::isfinite(seconds.number()) && seconds.number() > 0 &&
      evidence.is_string() && !device.text().empty())
    return Remembered{device.text(), seconds.number(), evidence.text()};
  file.damaged("`device`, `step_seconds` or `evidence` is missing");
  return std::nullopt;
}

void remember_device(const std::string& model, bool trains, const Remembered& choice) {
  Json values;
  values["device"] = choice.device;
  values["step_seconds"] = choice.step_seconds;
  values["evidence"] = choice.evidence;
  choice_file(model, trains).keep(values);
}

}  // namespace temper
