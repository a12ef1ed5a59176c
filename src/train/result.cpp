#include "train/result.h"

#include <cmath>

#include "base/json.h"
#include "base/version.h"

namespace temper {
namespace {

Json head(std::string_view command) {
  Json json;
  json["command"] = command;
  json["version"] = kVersion;
  json["schema"] = kSchema;
  return json;
}

const char* status_word(TrainResult::Status status) {
  switch (status) {
    case TrainResult::completed:
      return "completed";
    case TrainResult::stopped_early:
      return "stopped_early";
    case TrainResult::interrupted:
      return "interrupted";
  }
  return "";
}

Json scores(const Scores& s) {
  Json json;
  json["loss"] = s.loss;
  json["accuracy"] = s.accuracy;
  return json;
}

Json class_scores(const ClassScore& score) {
  Json json;
  json["label"] = score.label;
  json["precision"] = score.precision;
  json["recall"] = score.recall;
  json["f1"] = score.f1;
  json["samples"] = score.samples;
  if (score.average_precision) json["average_precision"] = *score.average_precision;
  return json;
}

void add_details(Json& json, const Evaluation& e) {
  json["samples"] = e.samples;
  json["loss"] = e.loss;
  json["accuracy"] = e.accuracy;
  json["top5"] = e.top5;
  if (e.skipped > 0) json["skipped"] = e.skipped;
  if (e.mean_average_precision) json["mean_average_precision"] = *e.mean_average_precision;
  if (e.agreement) json["agreement"] = *e.agreement;
  json["classes"] = Json::array();
  for (const ClassScore& score : e.classes) json["classes"].push_back(class_scores(score));
  json["confusion"] = Json::array();
  for (const auto& row : e.confusion) json["confusion"].push_back(row);
}

Json error_json(const Error& error) {
  Json json;
  json["kind"] = to_string(error.kind());
  json["message"] = error.what();
  json["file"] = error.file().empty() ? Json() : Json(error.file());
  json["node"] = error.node().empty() ? Json() : Json(error.node());
  return json;
}

Json seconds(const RunSeconds& s) {
  Json json;
  json["total"] = s.total;
  json["start"] = s.start;
  json["load"] = s.load;
  json["frozen"] = s.frozen;
  json["train"] = s.train;
  json["evaluate"] = s.evaluate;
  if (s.overlapped > 0) json["overlapped"] = s.overlapped;
  return json;
}

}  // namespace

std::string to_json(const TrainResult& r) {
  Json json = head("tune");
  json["status"] = status_word(r.status);
  json["device"] = r.device;
  json["frozen_device"] = r.frozen_device.empty() ? Json() : Json(r.frozen_device);
  json["precision"] = r.precision;
  json["frozen_precision"] = r.frozen_precision;
  json["threads"] = r.threads;
  json["seed"] = r.seed;
  json["epochs"] = r.epochs;
  json["best_epoch"] = r.best_epoch;
  json["train"] = r.train ? scores(*r.train) : Json();
  json["val"] = r.val ? scores(*r.val) : Json();
  if (r.val_details) add_details(json["val"], *r.val_details);
  if (r.val_exact) json["val"]["f32"] = scores(*r.val_exact);
  json["test"] = Json();
  if (r.test) add_details(json["test"], *r.test);
  json["parameters"]["total"] = r.parameters_total;
  json["parameters"]["trained"] = r.parameters_trained;
  json["seconds"] = seconds(r.seconds);
  json["samples_per_second"] = r.samples_per_second;
  json["peak_rss_bytes"] = r.peak_rss_bytes;
  json["energy_joules"] = r.energy_joules;
  json["joules_per_epoch"] = r.joules_per_epoch;
  json["joules_per_sample"] = r.joules_per_sample;
  json["energy_source"] = r.energy_source.empty() ? Json() : Json(r.energy_source);
  if (!r.energy_why.empty()) json["energy_why"] = r.energy_why;
  if (r.resumed_from_step) json["resumed_from_step"] = *r.resumed_from_step;
  json["files"] = Json::object();
  for (const auto& [name, file] : r.files) json["files"][name] = file;
  return json.dump();
}

std::string to_json(const Evaluation& evaluation) {
  Json json = head("eval");
  json["split"] = evaluation.split;
  add_details(json, evaluation);
  json["seconds"] = evaluation.seconds;
  return json.dump();
}

std::string to_json(const Comparison& comparison) {
  Json json = head("eval");
  json["split"] = comparison.split;
  json["samples"] = comparison.samples;
  json["bound"] = comparison.bound;
  json["devices"] = Json::array();
  for (const DeviceAnswers& answers : comparison.devices) {
    Json entry;
    entry["device"] = answers.device;
    entry["loss"] = answers.loss;
    entry["accuracy"] = answers.accuracy;
    entry["label_agreement"] = answers.label_agreement;
    entry["max_difference"] = answers.max_difference;
    entry["mean_difference"] = answers.mean_difference;
    entry["first_difference"] = Json();
    if (answers.first_difference) {
      entry["first_difference"]["node"] = answers.first_difference->node;
      entry["first_difference"]["difference"] = answers.first_difference->difference;
    }
    json["devices"].push_back(std::move(entry));
  }
  json["seconds"] = comparison.seconds;
  return json.dump();
}

std::string to_json(const Prediction& prediction) {
  if (prediction.error) return to_json(*prediction.error, "predict");
  Json json = head("predict");
  json["file"] = prediction.file;
  json["top"] = Json::array();
  for (const Score& score : prediction.top) {
    Json entry;
    entry["label"] = score.label;
    entry["index"] = score.index;
    entry["score"] = score.score;
    json["top"].push_back(std::move(entry));
  }
  return json.dump();
}

std::string to_json(const Error& error, std::string_view command) {
  Json json = head(command);
  json["error"] = error_json(error);
  return json.dump();
}

}  // namespace temper
