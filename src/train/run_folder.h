#pragma once
// The folder of a run: what it may be, and the files in it.
#include <string>
#include <vector>

#include "train/recipe.h"
#include "train/trainer.h"

namespace temper {

struct RunFolder {
  std::string path;
  std::vector<std::string> made;                  // the folders that were not there, from the outermost in
  bool fresh = false;                             // it holds no earlier run
  std::string file(std::string_view name) const;  // "runs/1/model.onnx"
  bool has(std::string_view name) const;
};

inline constexpr const char* kModelFile = "model.onnx";
inline constexpr const char* kBestFile = "best.ckpt";
inline constexpr const char* kLastFile = "last.ckpt";
inline constexpr const char* kRecipeFile = "recipe.toml";
inline constexpr const char* kHistoryFile = "history.csv";
inline constexpr const char* kReportFile = "report.html";
inline constexpr const char* kResultFile = "result.json";

// Makes recipe.out, or runs/1, runs/2, ... if it is empty. A folder that holds a run is refused unless the
// recipe says resume or overwrite.
RunFolder open_run_folder(const Recipe& recipe);

// Removes the files of an earlier run and nothing else: what overwrite does, once the new run is sure to
// begin.
void clear_run(RunFolder& folder);

// After an error: a new run without a checkpoint leaves nothing to go on with, so all that it made is
// removed.
void abandon_run(const RunFolder& folder);

// epoch,step,lr,seconds,train.loss,train.accuracy,val.loss,val.accuracy
std::string history_csv(const std::vector<EpochReport>& history);

}  // namespace temper
