#include "train/checkpoint.h"

#include <cmath>

#include "base/json.h"
#include "base/text.h"
#include "formats/safetensors.h"
#include "temper/error.h"

namespace temper {
namespace {

// Infinities are null in JSON.
double number_or(const Json& json, double otherwise) { return json.is_null() ? otherwise : json.number(); }

Json to_json(const EpochReport& r) {
  return Json::Array{r.epoch,          r.epochs,    r.step,     r.lr,           r.seconds, r.train_loss,
                     r.train_accuracy, r.validated, r.val_loss, r.val_accuracy, r.best};
}

EpochReport report_from(const Json& json) {
  const Json::Array& a = json.items();
  const double none = std::nan("");
  EpochReport r;
  r.epoch = a.at(0).integer(), r.epochs = a.at(1).integer(), r.step = a.at(2).integer();
  r.lr = a.at(3).number(), r.seconds = a.at(4).number();
  r.train_loss = number_or(a.at(5), none), r.train_accuracy = number_or(a.at(6), none);
  r.validated = a.at(7).boolean();
  r.val_loss = number_or(a.at(8), none), r.val_accuracy = number_or(a.at(9), none),
  r.best = a.at(10).boolean();
  return r;
}

Json to_json(const RunProgress& p) {
  Json json;
  json["epoch"] = p.epoch, json["sample"] = p.sample, json["step"] = p.step, json["batches"] = p.batches;
  json["sums"] =
      Json::Array{p.sums.loss, p.sums.weight, p.sums.correct, p.sums.top5, p.sums.samples, p.sums.seconds};
  json["plateau"] = Json::Array{p.plateau.best, p.plateau.waited, p.plateau.drops};
  json["best"] = p.best, json["best_epoch"] = p.best_epoch, json["waited"] = p.waited;
  json["seconds"] = p.seconds, json["finished"] = p.finished;
  json["history"] = Json::array();
  for (const EpochReport& report : p.history) json["history"].push_back(to_json(report));
  return json;
}

RunProgress progress_from(const Json& json) {
  const double infinity = std::numeric_limits<double>::infinity();
  RunProgress p;
  p.epoch = json.at("epoch").integer(), p.sample = json.at("sample").integer();
  p.step = json.at("step").integer(), p.batches = json.at("batches").integer();
  const Json::Array& sums = json.at("sums").items();
  p.sums = {sums.at(0).number(), sums.at(1).number(),  sums.at(2).number(),
            sums.at(3).number(), sums.at(4).integer(), sums.at(5).number()};
  const Json::Array& plateau = json.at("plateau").items();
  p.plateau = {number_or(plateau.at(0), infinity), plateau.at(1).integer(), plateau.at(2).integer()};
  p.best = number_or(json.at("best"), infinity), p.best_epoch = json.at("best_epoch").integer();
  p.waited = json.at("waited").integer(), p.seconds = json.at("seconds").number();
  p.finished = json.at("finished").boolean();
  for (const Json& report : json.at("history").items()) p.history.push_back(report_from(report));
  return p;
}

}  // namespace

void write_checkpoint(const std::string& path, const Checkpoint& checkpoint) {
  write_safetensors_file({checkpoint.state, {{"run", to_json(checkpoint.progress).dump()}}}, path);
}

Checkpoint read_checkpoint(const std::string& path) {
  Safetensors file = read_safetensors_file(path);
  const auto run = file.metadata.find("run");
  if (run == file.metadata.end())
    throw Error(ErrorKind::corrupt, concat(path, ": holds no state of a run")).in_file(path);
  try {
    return {std::move(file.tensors), progress_from(Json::parse(run->second))};
  } catch (const std::exception& error) {
    throw Error(ErrorKind::corrupt, concat(path, ": the state of the run is damaged: ", error.what()))
        .in_file(path);
  }
}

}  // namespace temper
