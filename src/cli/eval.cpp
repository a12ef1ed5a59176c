#include <cstdio>

#include "base/file.h"
#include "base/text.h"
#include "cli/command.h"
#include "report/table.h"
#include "train/compare.h"
#include "train/evaluate.h"
#include "train/result.h"

namespace temper::cli {
namespace {

void print_evaluation(const Evaluation& result) {
  std::string text;
  if (result.classes.size() <= 100) {
    TextTable table({"class", "precision", "recall", "F1", "samples"});
    for (const ClassScore& score : result.classes)
      table.row({score.label, percent_text(score.precision), percent_text(score.recall),
                 percent_text(score.f1), count_text(score.samples)});
    text += table.text() + "\n";
  }
  text += concat(result.split, ": ", count_text(result.samples), " samples, loss ", short_number(result.loss),
                 ", accuracy ", percent_text(result.accuracy), ", top-5 ", percent_text(result.top5));
  if (result.mean_average_precision)
    text += concat(", mean average precision ", percent_text(*result.mean_average_precision));
  if (result.agreement) text += concat(", agreement with the reference ", percent_text(*result.agreement));
  text += concat(", ", duration_text(result.seconds), "\n");
  if (result.skipped > 0) text += concat(result.skipped, " broken samples skipped\n");
  std::fputs(text.c_str(), stdout);
}

void print_comparison(const Comparison& result) {
  TextTable table({"device", "accuracy", "loss", "same label", "largest difference", "mean"});
  for (const DeviceAnswers& answers : result.devices)
    table.row({answers.device, percent_text(answers.accuracy), short_number(answers.loss),
               percent_text(answers.label_agreement), short_number(answers.max_difference),
               short_number(answers.mean_difference)});
  std::string text = table.text() + "\n";
  const std::string& first = result.devices[0].device;
  for (size_t i = 1; i < result.devices.size(); ++i) {
    const DeviceAnswers& answers = result.devices[i];
    text += concat(answers.device, ": ");
    if (answers.first_difference)
      text += concat("parts from ", first, " at ", answers.first_difference->node, ", by ",
                     short_number(answers.first_difference->difference), " of its largest value\n");
    else
      text += concat("no node is further from ", first, " than ", short_number(result.bound),
                     " of its largest value\n");
  }
  text += concat(result.split, ": ", count_text(result.samples), " samples, ", duration_text(result.seconds),
                 "\n");
  std::fputs(text.c_str(), stdout);
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string out = "\"";
  for (char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

}  // namespace

int eval(const std::vector<std::string>& words) {
  Arguments arguments("eval", "Loss, accuracy, scores by class and confusion of a model on labelled data.",
                      "temper eval runs/1 --data photos --split test", words);
  ModelOptions model;
  EvaluateOptions options;
  Common common;
  std::string out, compare;
  double bound = 1e-3;
  model.declare(arguments);
  arguments.option("data", options.data, "D", "class folders, IDX files, .csv, .csv.gz or .npy");
  arguments.option("val", options.val, "D", "validation data");
  arguments.option("test", options.test, "D", "test data");
  arguments.option("split", options.split, "test|val|train|all",
                   "which part (default: test, else val, else all)");
  arguments.option("val-split", options.val_split, "F", "share of the data held back for validation");
  arguments.option("batch", options.batch, "N", "samples a step");
  arguments.option("loss", options.loss, "LOSS", "what to measure (default: by the data)");
  arguments.option("on-bad-sample", options.on_bad_sample, "skip|fail", "what a broken picture does");
  arguments.option("reference", options.reference, "MODEL2", "also the agreement with another model");
  arguments.option("compare", compare, "D,E[,F]",
                   "the same on several devices: how far their answers are apart, and from which node on");
  arguments.option("bound", bound, "X", "what counts there, as a share of a node's largest value");
  arguments.option("out", out, "FILE.csv", "a line per sample: file, truth, prediction, score, loss");
  common.declare(arguments);
  if (!arguments.parse()) return 0;

  options.model = model.model, options.weights = model.weights, options.shape = model.shape;
  options.preprocess = model.preprocess, options.labels = model.labels;
  options.device = model.device.empty() ? "auto" : model.device;
  options.precision = model.precision, options.calibrate = model.calibrate, options.seed = model.seed,
  options.threads = model.threads;
  options.memory = model.memory_bytes();

  TerminalEvents events(common);
  if (!compare.empty()) {
    if (!out.empty() || !options.reference.empty() || !model.device.empty())
      throw Error(ErrorKind::invalid,
                  "compare: names the devices itself, and goes without --device, --out and --reference");
    std::vector<std::string> devices;
    for (const std::string_view device : split(compare, ',')) devices.emplace_back(trim(device));
    const Comparison result = compare_devices(options, devices, bound, events);
    events.clear();
    if (!common.json) print_comparison(result);
    return finish(common, Json::parse(to_json(result)));
  }
  std::string lines = "file,truth,prediction,score,loss\n";
  EachSample each;
  if (!out.empty()) {
    each = [&](const SampleLine& line) {
      lines += concat(csv_cell(line.file), ",", csv_cell(line.truth), ",", csv_cell(line.prediction), ",",
                      line.score, ",", line.loss, "\n");
    };
  }
  const Evaluation result = evaluate(options, events, each);
  events.clear();
  if (!out.empty()) write_file(out, lines);
  if (!common.json) print_evaluation(result);
  return finish(common, Json::parse(to_json(result)));
}

}  // namespace temper::cli
