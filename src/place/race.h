#pragma once
// `--device auto`: which device is fastest for a job, by running some of it on each; and remembering that.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "runtime/device.h"

namespace temper {

// A program of the job, compiled for a device, and how often a step of the job needs it.
struct Lap {
  std::function<void()> run;
  double times = 1;
};

struct Entrant {
  std::string device;
  std::function<std::vector<Lap>()> prepare;  // compiles; an Error says why it cannot take part
};

struct RaceResult {
  struct Result {
    std::string device;
    std::optional<double> seconds;  // of a step: the best; none: `why`
    std::string why = {};
    int64_t rounds = 0;    // how often each of its programs was run
    bool skipped = false;  // for want of time
  };
  std::vector<Result> results;  // of all entrants, in their order
  int winner = -1;              // none: nobody finished a step
  double seconds = 0;           // all of it
};

// What a job of so many seconds may spend on choosing: a tenth, 10 s at most.
double race_budget(double job_seconds);

// Each in its turn: prepared, run once to warm up, then until its share of what is left of the budget is used
// up, at most 10 times. budget: of all, from what a step takes the first of them, which always runs. Who
// comes after it is spent does not start, nor who may still be compiling then: a compiler is given ten times
// what the first one took. A later one wins only if it is faster by more than a twentieth. now: seconds.
RaceResult race(const std::vector<Entrant>& entrants, const std::function<double(double)>& budget,
                const std::function<double()>& now);
// For people: "cpu 3.1 ms, opencl 8.2 ms, pjrt: does not answer".
std::string to_string(const RaceResult& result);

// Names of the devices here that compute, the processor first. Those that are absent are among them: opening
// says.
std::vector<std::string> device_names();

// The device that was fastest for `model`, which is a name or a file as it is now, on this machine.
struct Remembered {
  std::string device;
  double step_seconds = 0;
  std::string evidence;
};
std::optional<Remembered> remembered_device(const std::string& model, bool trains);
void remember_device(const std::string& model, bool trains, const Remembered& choice);

}  // namespace temper
