#pragma once
// The list of commands and what they share.
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "cli/arguments.h"
#include "report/progress.h"
#include "runtime/device.h"
#include "train/events.h"

namespace temper::cli {

// `words` are those after the command. Returns the exit code; Errors become messages and codes in main.
struct Command {
  std::string_view name, summary;
  int (*run)(const std::vector<std::string>& words);
};
std::span<const Command> commands();

int devices(const std::vector<std::string>& words);
int inspect(const std::vector<std::string>& words);
int tune(const std::vector<std::string>& words);
int eval(const std::vector<std::string>& words);
int predict(const std::vector<std::string>& words);
int run(const std::vector<std::string>& words);
int convert(const std::vector<std::string>& words);
int bench(const std::vector<std::string>& words);
int advise(const std::vector<std::string>& words);

// Options that every command takes.
struct Common {
  bool json = false, quiet = false;
  bool isolate = false;  // main() has seen to it
  std::string progress = "auto";
  std::vector<std::string> minimum, maximum;  // KEY=X on dotted keys of the JSON result

  void declare(Arguments& arguments);
  ProgressStyle style() const;  // none if quiet
};

// Options of commands that open a model and run it.
struct ModelOptions {
  std::string model, weights, shape, preprocess, labels;
  std::string device, precision = "f32", calibrate, memory;
  int64_t threads = 0, seed = 0;

  void declare(Arguments& arguments);  // MODEL and the options
  int64_t memory_bytes() const;
};

// Prints `result` if --json, then checks --min and --max: 0, or 3 if a target was missed.
int finish(const Common& common, const Json& result);

// Draws progress and lines on standard error.
class TerminalEvents : public TrainEvents {
 public:
  explicit TerminalEvents(const Common& common) : progress_(common.style()) {}
  void progress(std::string_view phase, int64_t done, int64_t total, const NamedNumbers& values) override;
  void epoch(const EpochReport& report) override;
  void note(std::string_view text) override;
  void warning(std::string_view text) override;
  void clear() { progress_.clear(); }
  void expect_epochs(int64_t epochs) { epochs_ = epochs; }  // until the first report says

 private:
  Progress progress_;
  int64_t epoch_ = 0, epochs_ = 0;
};

// What each launch of a program took, the slowest first: name, kind, ms and flops and bytes of one run.
Json describe_profile(std::vector<LaunchProfile> launches);
void print_profile(const Json& launches);
// What a run costs by its plan, without a clock: launches, those that only move memory, bytes read and
// written, and the bytes of what stays from run to run and of what does not.
Json describe_cost(const Executable& executable, int64_t state_bytes);

// What --memory allows, what is needed of it, and what is computed twice for that. `left` as program_memory.
Json describe_memory(const Executable& executable, int64_t limit, int64_t left);

// What becomes of each node on a device, its memory and the time to expect: `nodes`, `memory`, `predicted_ms`
// and `fusions` of `result`, and the same for people.
struct Planned {
  int64_t batch = 1;
  std::function<Graph(int64_t batch)> at_batch;
  int64_t replicas = 1;  // of the graph at `batch`, a training step
  std::string code;      // a file for what the device's compiler is given; empty: none
};
std::string describe_plan(Device& device, const ModelOptions& options, const Planned& planned, Json& result);

// "command", "version", "schema": the head of every JSON object.
Json result_head(std::string_view command);

}  // namespace temper::cli
