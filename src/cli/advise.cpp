#include "train/advise.h"

#include <cstdio>

#include "base/text.h"
#include "cli/command.h"
#include "report/table.h"
#include "temper/error.h"

namespace temper::cli {
namespace {

std::string or_dash(const std::optional<double>& value, double factor = 1) {
  return value ? short_number(*value * factor) : "-";
}

Json describe(const Candidate& candidate) {
  Json json;
  json["device"] = candidate.device;
  json["ms_per_step"] = candidate.step_seconds ? Json(*candidate.step_seconds * 1e3) : Json();
  json["samples_per_second"] = candidate.step_seconds ? Json(candidate.samples_per_second) : Json();
  json["joules_per_sample"] = candidate.joules_per_sample;
  json["energy_source"] = candidate.energy_source.empty() ? Json() : Json(candidate.energy_source);
  json["energy_why"] = candidate.energy_why.empty() ? Json() : Json(candidate.energy_why);
  json["money_per_million"] = candidate.money_per_million;
  json["memory_bytes"] = candidate.memory_bytes > 0 ? Json(candidate.memory_bytes) : Json();
  json["memory_limit"] = candidate.memory_limit > 0 ? Json(candidate.memory_limit) : Json();
  json["measured"] = candidate.source == Candidate::measured && candidate.step_seconds.has_value();
  json["source"] = to_string(candidate.source);
  json["fits"] = candidate.memory_bytes > 0 && candidate.memory_limit > 0 ? Json(candidate.fits()) : Json();
  json["why"] = candidate.why.empty() ? Json() : Json(candidate.why);
  return json;
}

void print(const Advice& advice) {
  TextTable table(
      {"device", "ms a step", "samples/s", "J a sample", "money a million", "memory", "fits", "these are"});
  std::string absent;
  for (const Candidate& candidate : advice.candidates) {
    if (!candidate.step_seconds) {
      absent += concat(candidate.device, ": ", candidate.why, "\n");
      continue;
    }
    const std::string fits = candidate.memory_limit == 0 ? "-" : candidate.fits() ? "yes" : "no";
    table.row({candidate.device, or_dash(candidate.step_seconds, 1e3),
               short_number(candidate.samples_per_second), or_dash(candidate.joules_per_sample),
               or_dash(candidate.money_per_million),
               candidate.memory_bytes > 0 ? byte_text(candidate.memory_bytes) : "-", fits,
               std::string(to_string(candidate.source))});
  }
  std::string text =
      concat(table.text(), "\n", absent, absent.empty() ? "" : "\n", "prices in ", advice.prices.unit, " of ",
             advice.prices.date, advice.prices.file.empty() ? "" : concat(", ", advice.prices.file),
             "; energy of estimates is the most a device takes, by the time\n", advice.choice.evidence, "\n");
  if (advice.pass_seconds > 0)
    text += concat("once through ", count_text(advice.samples),
                   " samples: ", duration_text(advice.pass_seconds), "\n");
  std::fputs(text.c_str(), stdout);
}

}  // namespace

int advise(const std::vector<std::string>& words) {
  Arguments arguments(
      "advise",
      "What a step of a model takes on each device, those included that are not here, and which is best.",
      "temper advise resnet18 --data photos --train --goal money", words);
  ModelOptions model;
  AdviseOptions options;
  Common common;
  std::string goal = "time";
  bool no_measure = false;
  model.declare(arguments);
  arguments.option("data", options.data, "D", "its samples are counted: how long one pass takes");
  arguments.flag("train", options.trains, "a training step of all parameters, not inference");
  arguments.option("batch", options.batch, "N", "samples a step");
  arguments.option("sequence", options.sequence, "N",
                   "tokens a sample, where the model leaves their number free");
  arguments.option("goal", goal, "time|energy|money|memory", "what the choice makes least");
  arguments.flag(
      "no-measure", no_measure,
      "nothing of the model runs: a cost model predicts, calibrated once per machine in some seconds");
  arguments.flag("refresh", options.refresh, "calibrate the cost model again");
  arguments.option("prices", options.prices, "FILE",
                   "TOML with prices per hour, over the known ones and ~/.config/temper/prices.toml");
  common.declare(arguments);
  if (!arguments.parse()) return 0;
  if (!model.device.empty() && model.device != "auto")
    throw Error(ErrorKind::invalid, "device: advise looks at all of them");
  for (const auto& [option, count] :
       {std::pair("batch", options.batch), std::pair("sequence", options.sequence)})
    if (count < 1)
      throw Error(ErrorKind::invalid, concat("--", option, ": expected at least 1, found ", count));
  options.goal = parse_goal(goal);
  options.measures = !no_measure;
  options.model = {model.model,      model.weights, model.shape,
                   model.preprocess, model.labels,  static_cast<uint64_t>(model.seed)};
  options.precision = model.precision, options.threads = model.threads, options.memory = model.memory_bytes();

  TerminalEvents events(common);
  const Advice advice = temper::advise(options, events);
  events.clear();
  Json result = result_head("advise");
  result["model"] = model.model;
  result["train"] = options.trains;
  result["precision"] = options.precision;
  result["batch"] = options.batch;
  result["goal"] = to_string(options.goal);
  result["choice"] = advice.choice.candidate < 0
                         ? Json()
                         : Json(advice.candidates[static_cast<size_t>(advice.choice.candidate)].device);
  result["evidence"] = advice.choice.evidence;
  result["samples"] = options.data.empty() ? Json() : Json(advice.samples);
  result["pass_seconds"] = advice.pass_seconds > 0 ? Json(advice.pass_seconds) : Json();
  result["prices"]["unit"] = advice.prices.unit;
  result["prices"]["date"] = advice.prices.date;
  result["prices"]["file"] = advice.prices.file.empty() ? Json() : Json(advice.prices.file);
  result["candidates"] = Json::array();
  for (const Candidate& candidate : advice.candidates) result["candidates"].push_back(describe(candidate));
  if (!common.json) print(advice);
  return finish(common, result);
}

}  // namespace temper::cli
