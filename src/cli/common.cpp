#include <algorithm>
#include <array>
#include <cstdio>

#include "base/text.h"
#include "base/version.h"
#include "cli/command.h"
#include "report/table.h"
#include "temper/error.h"

namespace temper::cli {

void Common::declare(Arguments& arguments) {
  arguments.group("Output");
  arguments.flag("json", json, "one JSON object on standard output, nothing else");
  arguments.option("progress", progress, "auto|bar|plain|json|none",
                   "how progress is shown on standard error");
  arguments.flag("quiet", quiet, "no progress and no notes");
  arguments.options("min", minimum, "KEY=X",
                    "exit 3 if this number of the JSON result is less, e.g. test.accuracy=0.8");
  arguments.options("max", maximum, "KEY=X", "exit 3 if this number is more");
  arguments.group("Options");
  arguments.flag("isolate", isolate,
                 "a plug-in compiles in a process of its own: if it aborts, that is an error like others");
}

ProgressStyle Common::style() const { return quiet ? ProgressStyle::none : progress_style(progress); }

void ModelOptions::declare(Arguments& arguments) {
  arguments.word("MODEL", model, "a file, a run's folder or an architecture such as resnet18");
  arguments.option("weights", weights, "FILE", "weights of an architecture (default: random)");
  arguments.option("shape", shape, "NAME=1x3x224x224", "fixes free dimensions of an input");
  arguments.option("preprocess", preprocess, "STEPS",
                   "how a picture becomes the input: torch, tf, caffe, raw or steps");
  arguments.option("labels", labels, "FILE", "names of the model's classes, one a line");
  arguments.option(
      "device", device, "D[,D...]",
      "the first that answers: auto, cpu, ...; cpu+opencl: samples are shared out (eval, predict, run)");
  arguments.option("threads", threads, "N", "0: all that this process may use");
  arguments.option(
      "precision", precision, "f32|bf16|int8|f16",
      "arithmetic: bf16 multiplies in bf16 and sums in f32, int8 in integers; f16 is not there yet");
  arguments.option("calibrate", calibrate, "D",
                   "samples that int8 takes its ranges from, as --data; a quantised file needs none");
  arguments.option(
      "memory", memory, "BYTES",
      "the most that this process may hold, 500M or 2G: a training step then computes again what "
      "it cannot keep");
  arguments.option("seed", seed, "N", "of everything random");
}

int64_t ModelOptions::memory_bytes() const { return memory.empty() ? 0 : parse_bytes("memory", memory); }

static bool met(const std::string& target, const Json& result, bool least) {
  const size_t equals = target.find('=');
  const std::string_view option = least ? "--min" : "--max";
  double bound = 0;
  if (equals == std::string::npos || !parse_number(std::string_view(target).substr(equals + 1), bound))
    throw Error(ErrorKind::invalid, concat(option, ": expected KEY=X, found '", target, "'"));
  const std::string key = target.substr(0, equals);
  const Json* found = result.find(key);
  if (!found) throw Error(ErrorKind::invalid, concat(option, ": the result has no number '", key, "'"));
  if (found->is_number() && (least ? found->number() >= bound : found->number() <= bound)) return true;
  std::fputs(concat("target missed: ", key, " is ", found->dump(), ", ", least ? "at least " : "at most ",
                    bound, " was asked for\n")
                 .c_str(),
             stderr);
  return false;
}

int finish(const Common& common, const Json& result) {
  if (common.json) std::fputs((result.dump() + "\n").c_str(), stdout);
  std::fflush(stdout);
  bool all = true;
  for (const std::string& target : common.minimum) all = met(target, result, true) && all;
  for (const std::string& target : common.maximum) all = met(target, result, false) && all;
  return all ? 0 : 3;
}

Json result_head(std::string_view command) {
  Json head;
  head["command"] = command;
  head["version"] = kVersion;
  head["schema"] = kSchema;
  return head;
}

// "epoch  3/10": as wide for every epoch.
static std::string epoch_text(int64_t epoch, int64_t epochs) {
  const std::string number = concat(epoch), all = concat(epochs);
  const size_t width = std::max(number.size(), all.size());
  return concat("epoch ", std::string(width - number.size(), ' '), number, "/", all);
}

void TerminalEvents::progress(std::string_view phase, int64_t done, int64_t total,
                              const NamedNumbers& values) {
  const bool epoch = phase == "train" && epochs_ > 0;
  progress_.update(epoch ? epoch_text(epoch_ + 1, epochs_) : std::string(phase), done, total, values);
}

void TerminalEvents::epoch(const EpochReport& report) {
  epoch_ = report.epoch;
  epochs_ = report.epochs;
  std::string line =
      concat(epoch_text(report.epoch, report.epochs), "  lr ", short_number(report.lr), "  loss ",
             short_number(report.train_loss), "  accuracy ", percent_text(report.train_accuracy));
  if (report.validated)
    line += concat("  val loss ", short_number(report.val_loss), "  val accuracy ",
                   percent_text(report.val_accuracy));
  if (report.joules) line += concat("  ", short_number(*report.joules), " J");
  progress_.line(concat(line, "  ", duration_text(report.seconds), report.best ? "  best" : ""));
}

void TerminalEvents::note(std::string_view text) { progress_.line(text); }
void TerminalEvents::warning(std::string_view text) { progress_.line(concat("warning: ", text)); }

}  // namespace temper::cli
