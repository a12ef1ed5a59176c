#include "place/calibration.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/text.h"
#include "place/probes.h"
#include "runtime/compile.h"
#include "runtime/measurements.h"
#include "temper/error.h"

namespace temper {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kLeastRuns = 3, kMostRuns = 15;  // of a probe
constexpr double kEnough = 0.03;     // seconds of runs after which no more than the least are made
constexpr int64_t kSweep = 1 << 24;  // numbers that are read so that no cache holds anything else
constexpr double kSweepBytes = 2.0 * sizeof(float) * kSweep;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// f32 in [-1, 1]; integers are small.
Tensor varied(const Type& type) {
  if (type.dtype != DType::f32) {
    std::vector<int64_t> numbers(static_cast<size_t>(type.shape.elements()));
    for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<int64_t>(i * 37 % 997);
    return from_int64s(type, numbers);
  }
  Tensor tensor(type);
  uint32_t state = 1;
  for (float& number : tensor.mutable_values<float>())
    number = static_cast<float>(state = state * 1664525 + 1013904223) / 2147483648.0f - 1;
  return tensor;
}

class Loaded {
 public:
  Loaded(Device& device, const Graph& graph, int threads, bool infers)
      : executable_(compile(device, graph, {.threads = threads, .sole_reader = infers})),
        context_(executable_->make_context()) {
    for (const Argument& input : executable_->program().inputs)
      arguments_.push_back(upload(device, varied(input.type), input));
    results_.resize(executable_->program().outputs.size());
    run();
  }

  double run() {
    const auto start = Clock::now();
    executable_->run(*context_, arguments_, results_);
    return seconds_since(start);
  }
  const Executable& executable() const { return *executable_; }

 private:
  std::unique_ptr<Executable> executable_;
  std::unique_ptr<Context> context_;
  std::vector<Tensor> arguments_, results_;
};

// The median. between: runs before each that counts.
double usual_run(Loaded& probe, Loaded* between) {
  std::vector<double> seconds;
  double spent = 0;
  while (seconds.size() < kLeastRuns || (seconds.size() < kMostRuns && spent < kEnough)) {
    if (between) between->run();
    spent += seconds.emplace_back(probe.run());
  }
  std::ranges::nth_element(seconds, seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2));
  return seconds[seconds.size() / 2];
}

// Once with what caches hold, and cold if the probe says so. The faster of two visits stays. None: refused.
void observe(Device& device, const Probe& probe, int threads, Loaded& sweep, std::vector<Observation>& seen) {
  try {
    Loaded loaded(device, probe.graph, threads, probe.infers);
    for (const bool cold : {false, true}) {
      if (cold && !probe.cold) continue;
      const double seconds = usual_run(loaded, cold ? &sweep : nullptr);
      Observation* known = seen.size() > (cold ? 1U : 0U) ? &seen[cold ? 1 : 0] : nullptr;
      if (!known)
        known =
            &seen.emplace_back(Observation{works_of(loaded.executable(), cold ? kSweepBytes : 0), seconds});
      known->seconds = std::min(known->seconds, seconds);
    }
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unsupported) throw;
  }
}

std::vector<std::pair<double, double>> measure_bytes(Device& device, int threads) {
  std::vector<std::pair<double, double>> curve;
  Loaded none(device, sum_probe(1), threads, true);
  const double launch = usual_run(none, nullptr);
  for (int64_t count = int64_t{1} << 14; count <= kSweep; count <<= 2) {
    Loaded probe(device, sum_probe(count), threads, true);
    const double bytes = 2.0 * sizeof(float) * static_cast<double>(count);
    const double seconds = usual_run(probe, nullptr);
    curve.emplace_back(bytes, std::max(seconds - launch, 0.1 * seconds) / bytes);
  }
  return curve;
}

double number(const Json& json, std::string_view key) {
  const Json& value = json.at(key);
  if (!value.is_number() || !std::isfinite(value.number()) || value.number() < 0)
    throw Error(ErrorKind::corrupt, concat("`", key, "` is not a number from 0"));
  return value.number();
}

const Json::Array& list(const Json& json, std::string_view key) {
  if (!json.is_object() || !json.at(key).is_array())
    throw Error(ErrorKind::corrupt, concat("`", key, "` is not a list"));
  return json.at(key).items();
}

double positive(const Json& json) {
  if (!json.is_number() || !std::isfinite(json.number()) || json.number() <= 0)
    throw Error(ErrorKind::corrupt, "a time or a size is not above 0");
  return json.number();
}

std::pair<double, double> parse_pair(const Json& json) {
  if (!json.is_array() || json.items().size() != 2) throw Error(ErrorKind::corrupt, "a pair is none");
  return {positive(json.items()[0]), positive(json.items()[1])};
}

Json describe(const Work& work) {
  Json json, traffic = Json::array();
  for (const Traffic& part : work.traffic) traffic.push_back(Json(std::vector{part.bytes, part.distance}));
  json["kind"] = work.kind;
  json["flops"] = work.flops;
  json["functions"] = work.functions;
  json["traffic"] = traffic;
  json["place"] = work.place;
  json["rounds"] = work.rounds;
  return json;
}

Work parse_work(const Json& json) {
  if (!json.is_object() || !json.at("kind").is_string())
    throw Error(ErrorKind::corrupt, "work without a kind");
  Work work{.kind = json.at("kind").text(),
            .flops = number(json, "flops"),
            .functions = number(json, "functions"),
            .rounds = number(json, "rounds")};
  for (const Json& part : list(json, "traffic")) {
    const auto [bytes, distance] = parse_pair(part);
    work.traffic.push_back({bytes, distance});
  }
  for (const Json& at : list(json, "place")) {
    if (!at.is_number() || !std::isfinite(at.number()))
      throw Error(ErrorKind::corrupt, "a place is no number");
    work.place.push_back(at.number());
  }
  return work;
}

}  // namespace

// Each probe twice, long apart: what else the machine does for a while slows one visit, not both.
Calibration calibrate(Device& device, int threads, const CalibrationProgress& progress) {
  constexpr int64_t kVisits = 2;
  Calibration calibration;
  calibration.byte_seconds = measure_bytes(device, threads);
  Loaded sweep(device, sum_probe(kSweep), threads, true);
  const std::vector<Probe> all = probes();
  const auto count = static_cast<int64_t>(all.size());
  std::vector<std::vector<Observation>> seen(all.size());
  for (int64_t visit = 0; visit < kVisits; ++visit)
    for (int64_t i = 0; i < count; ++i) {
      if (progress) progress(visit * count + i, kVisits * count);
      if (visit == 0 || !seen[static_cast<size_t>(i)].empty())
        observe(device, all[static_cast<size_t>(i)], threads, sweep, seen[static_cast<size_t>(i)]);
    }
  for (std::vector<Observation>& of_probe : seen)
    for (Observation& one : of_probe) calibration.observations.push_back(std::move(one));
  return calibration;
}

Calibration kept_calibration(Device& device, int threads, bool refresh, const CalibrationProgress& progress) {
  const Measurements file("calibration", concat(device_text(device), "; ", threads, " threads asked for"));
  if (!refresh) {
    if (const std::optional<Json> kept = file.find()) {
      try {
        return parse_calibration(kept->dump());
      } catch (const Error& problem) {
        file.damaged(problem.what());
      }
    }
  }
  const Calibration calibration = calibrate(device, threads, progress);
  file.keep(Json::parse(to_json(calibration)));
  return calibration;
}

std::string to_json(const Calibration& calibration) {
  Json json;
  json["byte_seconds"] = Json::array();
  for (const auto& [bytes, seconds] : calibration.byte_seconds)
    json["byte_seconds"].push_back(Json(std::vector{bytes, seconds}));
  json["observations"] = Json::array();
  for (const Observation& seen : calibration.observations) {
    Json works = Json::array(), entry;
    for (const Work& work : seen.works) works.push_back(describe(work));
    entry["seconds"] = seen.seconds;
    entry["works"] = works;
    json["observations"].push_back(entry);
  }
  return json.dump();
}

Calibration parse_calibration(std::string_view text) {
  const Json json = Json::parse(text);
  Calibration calibration;
  for (const Json& pair : list(json, "byte_seconds")) {
    calibration.byte_seconds.push_back(parse_pair(pair));
    const size_t count = calibration.byte_seconds.size();
    if (count > 1 && calibration.byte_seconds[count - 2].first >= calibration.byte_seconds[count - 1].first)
      throw Error(ErrorKind::corrupt, "`byte_seconds` do not ascend");
  }
  for (const Json& entry : list(json, "observations")) {
    Observation seen;
    for (const Json& work : list(entry, "works")) seen.works.push_back(parse_work(work));
    seen.seconds = positive(entry.at("seconds"));
    calibration.observations.push_back(std::move(seen));
  }
  if (calibration.byte_seconds.empty() || calibration.observations.empty())
    throw Error(ErrorKind::corrupt, "it holds no measurement");
  return calibration;
}

}  // namespace temper
