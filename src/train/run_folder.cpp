#include "train/run_folder.h"

#include <cmath>
#include <filesystem>

#include "base/text.h"

namespace temper {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFiles[] = {kModelFile,   kBestFile,   kLastFile,  kRecipeFile,
                                  kHistoryFile, kReportFile, kResultFile};

void make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (!error && fs::is_directory(path)) return;
  throw Error(ErrorKind::invalid,
              concat("out: cannot make the folder ", path.string(), ": ",
                     error ? error.message() : std::string("there is a file of that name")))
      .in_file(path.string());
}

std::string next_free() {
  make_folder("runs");
  for (int64_t number = 1;; ++number) {
    const std::string path = concat("runs/", number);
    std::error_code error;
    if (fs::create_directory(path, error)) return path;
    if (error && error != std::errc::file_exists) make_folder(path);  // throws
  }
}

std::string cell(double value) { return std::isfinite(value) ? concat(value) : std::string(); }

}  // namespace

std::string RunFolder::file(std::string_view name) const { return (fs::path(path) / name).string(); }
bool RunFolder::has(std::string_view name) const { return fs::exists(fs::path(path) / name); }

RunFolder open_run_folder(const Recipe& recipe) {
  if (recipe.out.empty()) {
    if (recipe.resume) throw Error(ErrorKind::invalid, "resume: say which run with --out DIR");
    return {next_free()};
  }
  RunFolder folder{recipe.out};
  make_folder(folder.path);
  if (recipe.resume) return folder;
  for (const char* name : kFiles) {
    if (!folder.has(name)) continue;
    if (!recipe.overwrite) {
      throw Error(ErrorKind::invalid, concat("out: ", folder.path,
                                             " holds a run; go on with --resume, replace it with "
                                             "--overwrite, or choose another folder"))
          .in_file(folder.path);
    }
    std::error_code error;
    fs::remove(folder.file(name), error);
    if (error)
      throw Error(ErrorKind::invalid,
                  concat("overwrite: cannot remove ", folder.file(name), ": ", error.message()));
  }
  return folder;
}

std::string history_csv(const std::vector<EpochReport>& history) {
  std::string text = "epoch,step,lr,seconds,train.loss,train.accuracy,val.loss,val.accuracy\n";
  for (const EpochReport& r : history) {
    text += concat(r.epoch, ",", r.step, ",", r.lr, ",", r.seconds, ",", cell(r.train_loss), ",",
                   cell(r.train_accuracy), ",", r.validated ? cell(r.val_loss) : "", ",",
                   r.validated ? cell(r.val_accuracy) : "", "\n");
  }
  return text;
}

}  // namespace temper
