#include "train/run_folder.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/text.h"

namespace temper {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFiles[] = {kModelFile,   kBestFile,   kLastFile,  kRecipeFile,
                                  kHistoryFile, kReportFile, kResultFile};

// Makes the folder and those above it; returns the ones that were not there.
std::vector<std::string> make_folder(const fs::path& path) {
  std::vector<std::string> made;
  std::error_code error;
  for (fs::path above = path; !above.empty() && !fs::exists(above, error); above = above.parent_path())
    made.insert(made.begin(), above.string());
  fs::create_directories(path, error);
  if (!error && fs::is_directory(path)) return made;
  throw Error(ErrorKind::invalid,
              concat("out: cannot make the folder ", path.string(), ": ",
                     error ? error.message() : std::string("there is a file of that name")));
}

RunFolder next_free() {
  std::vector<std::string> made = make_folder("runs");
  for (int64_t number = 1;; ++number) {
    const std::string path = concat("runs/", number);
    std::error_code error;
    if (fs::create_directory(path, error)) {
      made.push_back(path);
      return {path, std::move(made), true};
    }
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
    return next_free();
  }
  RunFolder folder{recipe.out};
  folder.made = make_folder(fs::path(recipe.out).lexically_normal());
  folder.fresh =
      std::none_of(std::begin(kFiles), std::end(kFiles), [&](const char* name) { return folder.has(name); });
  if (folder.fresh || recipe.resume || recipe.overwrite) return folder;
  throw Error(ErrorKind::invalid, concat("out: ", folder.path,
                                         " holds a run; go on with --resume, replace it with "
                                         "--overwrite, or choose another folder"));
}

void clear_run(RunFolder& folder) {
  for (const char* name : kFiles) {
    std::error_code error;
    fs::remove(folder.file(name), error);
    if (error)
      throw Error(ErrorKind::invalid,
                  concat("overwrite: cannot remove ", folder.file(name), ": ", error.message()));
  }
  folder.fresh = true;
}

void abandon_run(const RunFolder& folder) {
  if (!folder.fresh || folder.has(kLastFile)) return;
  std::error_code ignored;
  for (const char* name : kFiles) fs::remove(folder.file(name), ignored);
  for (auto path = folder.made.rbegin(); path != folder.made.rend(); ++path)
    fs::remove(*path, ignored);  // if empty
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
