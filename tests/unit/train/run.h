#pragma once
// What the tests of training share: a device, small data sets as files, events that are kept.
#include <filesystem>
#include <string>
#include <vector>

#include "model/model.h"
#include "runtime/device.h"
#include "support/temporary_folder.h"
#include "train/recipe.h"
#include "train/trainer.h"

namespace temper {

Device& test_device();  // the CPU; registers it

class KeptEvents : public TrainEvents {
 public:
  void epoch(const EpochReport& report) override { epochs.push_back(report); }
  void note(std::string_view text) override { notes.emplace_back(text); }
  void warning(std::string_view text) override { warnings.emplace_back(text); }
  std::vector<EpochReport> epochs;
  std::vector<std::string> notes, warnings;
};

// IDX files of 8x8 pictures of four classes, told apart by a bright quarter among noise.
std::string write_quarters(const TemporaryFolder& folder, int64_t train, int64_t test);

// mlp:64-16-4 on those, into folder/NAME.
Recipe small_recipe(const TemporaryFolder& folder, const std::string& data, const std::string& out);

std::string bytes_of(const std::filesystem::path& file);

}  // namespace temper
