// temper COMMAND [MODEL] [options]
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>

#include "api/devices.h"
#include "base/stop_signal.h"
#include "base/text.h"
#include "base/version.h"
#include "cli/command.h"
#include "report/table.h"
#include "runtime/isolate.h"
#include "temper/error.h"

namespace temper::cli {
namespace {

constexpr std::array<Command, 9> kCommands = {{
    {"devices", "what this machine can run on, and why not on the rest", devices},
    {"inspect", "inputs, layers, parameters and cost of a model; the plan for a device", inspect},
    {"tune", "train a head, a part or all of a model on your data", tune},
    {"eval", "loss, accuracy and confusion of a model on labelled data", eval},
    {"predict", "labels and scores for pictures", predict},
    {"run", "any model on raw tensors", run},
    {"convert", "a model from one file format to another", convert},
    {"bench", "latency, throughput and achieved over measured peak", bench},
    {"advise", "what a step takes on each device, and which is best", advise},
}};

// What people type who come from elsewhere.
constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kAliases = {{
    {"train", "tune"},
    {"fit", "tune"},
    {"val", "eval"},
    {"test", "eval"},
    {"infer", "predict"},
    {"export", "convert"},
    {"quantize", "compress"},
    {"benchmark", "bench"},
    {"summary", "inspect"},
}};

std::string overview() {
  TextTable table({"command", "does"});
  for (const Command& command : kCommands)
    table.row({std::string(command.name), std::string(command.summary)});
  return concat("temper ", kVersion,
                ": tunes a pre-trained model on your data, makes it small, runs it anywhere\n\n",
                "usage: temper COMMAND [MODEL] [options]\n\n", table.text(), "\n",
                "temper help COMMAND explains one command. For example:\n",
                "  temper tune mobilenet.onnx --data photos --preprocess tf --head gap,dense\n");
}

const Command& find_command(std::string_view name) {
  std::vector<std::string> names;
  for (const Command& command : kCommands) {
    if (command.name == name) return command;
    names.emplace_back(command.name);
  }
  std::string near;
  for (const auto& [alias, command] : kAliases) {
    if (alias == name) near = command;
  }
  if (near.empty()) near = closest(name, names);
  throw Error(ErrorKind::invalid,
              concat("unknown command '", name, "'", near.empty() ? "" : "; did you mean ", near,
                     near.empty() ? " (see temper --help)" : "?"));
}

// An invalid file is a failure like any other, unless it is the recipe.
int exit_code(const Error& error) {
  switch (error.kind()) {
    case ErrorKind::invalid:
      return error.file().empty() || error.file().ends_with(".toml") ? 2 : 1;
    case ErrorKind::device:
    case ErrorKind::exhausted:
      return 4;
    default:
      return 1;
  }
}

// A name out of a file may hold anything; a message is one line.
std::string one_line(std::string text) {
  for (char& letter : text) {
    if (static_cast<unsigned char>(letter) < ' ') letter = ' ';
  }
  return text;
}

int report(const Error& error, std::string_view command, bool json) {
  std::string where =
      error.file().empty() || std::string_view(error.what()).find(error.file()) != std::string::npos
          ? ""
          : error.file() + ": ";
  std::fputs(
      (one_line(concat("temper", command.empty() ? "" : " ", command, ": ", where, error.what())) + "\n")
          .c_str(),
      stderr);
  if (json) {
    Json object = result_head(command);
    Json& inner = object["error"];
    inner["kind"] = to_string(error.kind());
    inner["message"] = error.what();
    inner["file"] = error.file().empty() ? Json() : Json(error.file());
    inner["node"] = error.node().empty() ? Json() : Json(error.node());
    std::fputs((object.dump() + "\n").c_str(), stdout);
  }
  return exit_code(error);
}

int dispatch(std::vector<std::string> words) {
  if (words.empty() || words[0] == "--help" || words[0] == "-h" ||
      (words[0] == "help" && words.size() == 1)) {
    std::fputs(overview().c_str(), stdout);
    return words.empty() ? 2 : 0;
  }
  if (words[0] == "--version") {
    std::fputs(concat("temper ", kVersion, "\n").c_str(), stdout);
    return 0;
  }
  if (words[0] == kCompileAlone) return compile_alone(std::span(words).subspan(1));
  if (words[0] == "help") words = {words[1], "--help"};
  const Command& command = find_command(words[0]);
  if (std::ranges::find(words, "--isolate") != words.end())
    isolate_compiling(std::filesystem::read_symlink("/proc/self/exe").string());
  words.erase(words.begin());
  return command.run(words);
}

// Whether somebody else runs at this moment: "0.52 0.58 0.59 2/1009 12345" is of two that run, this one and
// another.
bool is_shared() {
  std::ifstream file("/proc/loadavg");
  double ignored = 0;
  int running = 0;
  return file >> ignored >> ignored >> ignored >> running && running > 1;
}

// How long the OpenMP team spins at a barrier before it sleeps: by default for milliseconds, so that a team
// which shares its processors with others hardly gets on. libgomp reads this when it is loaded, so what works
// for long begins anew with it set, unless the user has; what is done in a moment, only if it shares now.
void spin_briefly(int count, char** words) {
  constexpr std::array<std::string_view, 4> kLong = {"tune", "eval", "bench", "advise"};
  constexpr std::array<std::string_view, 2> kShort = {"predict", "run"};
  if (count < 2) return;
  const bool is_long = std::ranges::find(kLong, words[1]) != kLong.end();
  const bool is_short = std::ranges::find(kShort, words[1]) != kShort.end();
  if (!is_long && !(is_short && is_shared())) return;
  if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY")) return;
  std::error_code absent;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", absent);
  setenv("GOMP_SPINCOUNT", "2000", 1);
  execv(program.c_str(), words);  // comes back only if it fails, and then all is as before
}

}  // namespace

std::span<const Command> commands() { return kCommands; }

static int guarded(const std::vector<std::string>& words) {
  const std::string command = words.empty() || words[0].starts_with('-') ? "" : words[0];
  const bool json = std::find(words.begin(), words.end(), "--json") != words.end();
  try {
    return dispatch(words);
  } catch (const Error& error) {
    return report(error, command, json);
  } catch (const std::bad_alloc&) {
    return report(Error(ErrorKind::exhausted, "out of memory; a smaller --batch needs less"), command, json);
  } catch (const std::exception& error) {
    return report(Error(ErrorKind::internal, concat(error.what(), " (please report this)")), command, json);
  }
}

}  // namespace temper::cli

int main(int argc, char** argv) {
  temper::cli::spin_briefly(argc, argv);
  temper::register_devices();
  temper::catch_stop_signals();
  const int code = temper::cli::guarded({argv + 1, argv + argc});
  const int signal = temper::stop_signal();
  return signal != 0 ? 128 + signal : code;
}
