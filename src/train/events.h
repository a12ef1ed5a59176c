#pragma once
// What long work tells the person who waits. The command line draws it; a library user may listen or not.
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper {

using NamedNumbers =
    std::vector<std::pair<std::string, double>>;  // in the order in which they should be shown

struct EpochReport {
  int64_t epoch = 0, epochs = 0;  // 1 is the first
  int64_t step = 0;               // optimizer steps since the start of the run
  double lr = 0, seconds = 0;     // seconds of this epoch, validation included
  double train_loss = 0, train_accuracy = 0;
  bool validated = false;
  double val_loss = 0, val_accuracy = 0;
  bool best = false;                  // by the monitored value
  std::optional<double> joules = {};  // that the machine took meanwhile, where it counts them
};

// Called from the thread that works, one call at a time. May throw: the work stops as if interrupted.
class TrainEvents {
 public:
  virtual ~TrainEvents() = default;
  // phase: "load", "frozen", "train", "evaluate", "save". done of total samples; total 0: not known.
  virtual void progress(std::string_view phase, int64_t done, int64_t total, const NamedNumbers& values) {
    (void)phase, (void)done, (void)total, (void)values;
  }
  virtual void epoch(const EpochReport& report) { (void)report; }
  virtual void note(std::string_view text) { (void)text; }  // one line for people: a decision and its reason
  virtual void warning(std::string_view text) { (void)text; }  // one line: likely not what was meant
};

}  // namespace temper
