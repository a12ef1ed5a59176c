#include "train/predict.h"

#include <cstdio>
#include <iostream>

#include "base/file.h"
#include "base/stop_signal.h"
#include "base/text.h"
#include "cli/command.h"
#include "report/table.h"
#include "temper/error.h"
#include "train/result.h"

namespace temper::cli {
namespace {

std::string prediction_text(const Prediction& prediction) {
  if (prediction.error) return "";
  std::string text = prediction.file + "\n";
  int widest = 0;
  for (const Score& score : prediction.top) widest = std::max(widest, display_width(score.label));
  for (const Score& score : prediction.top) {
    const std::string space(static_cast<size_t>(widest - display_width(score.label)), ' ');
    text +=
        concat("  ", score.label, space, "  ", bar(score.score, 20), " ", percent_text(score.score), "\n");
  }
  return text;
}

// A picture, or why what was named is none.
struct Named {
  std::string file;
  std::optional<Error> error;
};

std::vector<Named> named_files(const std::vector<std::string>& words) {
  std::vector<Named> files;
  const auto add = [&](const std::string& word) {
    try {
      for (std::string& file : picture_files(word)) files.push_back({std::move(file), {}});
    } catch (const Error& error) {
      files.push_back({word, error});
    }
  };
  for (const std::string& word : words) {
    if (word != "-") {
      add(word);
      continue;
    }
    for (std::string line; std::getline(std::cin, line);) {
      if (!line.empty()) add(line);
    }
  }
  return files;
}

// One prediction per name, in order.
std::vector<Prediction> predict_named(Predictor& predictor, std::span<const Named> part) {
  std::vector<std::string> files;
  for (const Named& named : part) {
    if (!named.error) files.push_back(named.file);
  }
  std::vector<Prediction> good = predictor.predict(files), all;
  auto next = good.begin();
  for (const Named& named : part)
    all.push_back(named.error ? Prediction{named.file, {}, named.error} : std::move(*next++));
  return all;
}

void report(const Prediction& prediction) {
  const std::string_view what = prediction.error->what();
  const std::string file = what.find(prediction.file) == std::string_view::npos ? prediction.file + ": " : "";
  std::fputs(concat("temper predict: ", file, what, "\n").c_str(), stderr);
}

}  // namespace

int predict(const std::vector<std::string>& words) {
  Arguments arguments("predict", "Labels with scores for pictures.",
                      "temper predict runs/1 holiday.jpg --top 3", words);
  ModelOptions model;
  PredictOptions options;
  Common common;
  std::vector<std::string> names;
  std::string out;
  model.declare(arguments);
  arguments.words("FILE", names, "pictures or folders; - reads paths from standard input");
  arguments.option("top", options.top, "N", "labels shown at most");
  arguments.option("threshold", options.threshold, "X", "least score shown");
  arguments.option("batch", options.batch, "N", "pictures at once");
  arguments.option("out", out, "FILE", "the JSON lines go there, too");
  common.declare(arguments);
  if (!arguments.parse()) return 0;

  options.model = model.model, options.weights = model.weights, options.shape = model.shape;
  options.preprocess = model.preprocess, options.labels = model.labels;
  options.device = model.device.empty() ? "auto" : model.device;
  options.precision = model.precision, options.calibrate = model.calibrate, options.threads = model.threads,
  options.memory = model.memory_bytes();

  if (options.top < 1)
    throw Error(ErrorKind::invalid, concat("top: expected at least 1, found ", options.top));
  const std::vector<Named> files = named_files(names);
  TerminalEvents events(common);
  if (files.size() == 1 && options.batch > 1) options.batch = 1;
  Predictor predictor(options, events);
  const auto step = static_cast<size_t>(std::max<int64_t>(1, predictor.batch()));
  bool failed = false;
  std::string lines;
  for (size_t at = 0; at < files.size() && stop_signal() == 0; at += step) {
    const std::span<const Named> part(files.data() + at, std::min(step, files.size() - at));
    if (files.size() > step)
      events.progress("predict", static_cast<int64_t>(at), static_cast<int64_t>(files.size()), {});
    for (const Prediction& prediction : predict_named(predictor, part)) {
      events.clear();
      if (prediction.error) {
        failed = true;
        report(prediction);
      }
      const std::string json = to_json(prediction) + "\n";
      if (!out.empty()) lines += json;
      std::fputs(common.json ? json.c_str() : prediction_text(prediction).c_str(), stdout);
    }
  }
  if (!out.empty()) write_file(out, lines);
  std::fflush(stdout);
  predictor.keep();
  return failed ? 1 : 0;
}

}  // namespace temper::cli
