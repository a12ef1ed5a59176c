#pragma once
// What to train and how: every option of `temper tune`, its default, its TOML key, and what may change on
// resume.
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "temper/error.h"

namespace temper {

// Members stand in the order of `recipe_fields()`, where each has its option name and help.
// An empty string or optional means: decided by the model and the data, and said in the recipe that a run
// writes.
struct Recipe {
  std::string model, weights, shape, preprocess, labels;
  std::string data, val, test;
  std::optional<double> val_split;
  std::string head, cut;
  std::string trainable, freeze;
  bool insert_norm = false;
  std::string loss;
  double label_smoothing = 0;
  std::string class_weights, sampling = "shuffle";
  std::string optimizer = "adam";
  std::optional<double> lr;
  double momentum = 0;
  bool nesterov = false;
  double weight_decay = 0, l1 = 0;
  std::string schedule = "constant";
  int64_t warmup = 0;
  double clip_norm = 0;
  int64_t accumulate = 1;
  double ema = 0;
  bool sync_norm = false;
  int64_t batch = 32, epochs = 10;
  double max_time = 0;
  std::string monitor;
  int64_t patience = 0;
  std::string augment;
  int64_t views = 0;
  std::string on_bad_sample = "fail";
  std::string frozen_cache = "auto", frozen_precision = "f32";
  double max_drop = 1;
  std::string precision = "f32";
  int64_t seed = 0;
  std::string device = "auto";
  int64_t threads = 0, memory = 0;
  bool logits = false;
  std::string out;
  bool resume = false, overwrite = false;

  std::vector<std::string> given;  // keys set by `set` or read from a file, in that order, each once

  friend bool operator==(const Recipe&, const Recipe&) = default;
};

// One option: the list behind the command line, the TOML keys, help and the resume rules.
struct RecipeField {
  // On resume. resolved: compared once it is decided (a preset becomes steps). not_stored: also not in
  // recipe.toml.
  enum Rule { fixed, resolved, may_change, not_stored };
  using Member = std::variant<std::string Recipe::*, double Recipe::*, int64_t Recipe::*, bool Recipe::*,
                              std::optional<double> Recipe::*>;
  std::string_view name;  // "label-smoothing"
  Member member;
  std::string_view value;  // what follows the option in help: "N", "sgd|adam"; empty: a flag
  std::string_view help;
  Rule rule = fixed;
};
std::span<const RecipeField> recipe_fields();

// `text` as on the command line: durations as 90, 90s, 10m, 2h; bytes as 1000000, 500M, 2G; flags as true,
// false. Error invalid names the option, what it takes and what was found; an unknown name gets a suggestion.
void set(Recipe& recipe, std::string_view name, std::string_view text);

// Choices and ranges. Error invalid names the key.
void check(const Recipe& recipe);

// Flat TOML, one line an option. Keys of rule not_stored are read but never written; unset ones are not
// written.
Recipe parse_recipe(std::string_view text, const std::string& file = "recipe");
Recipe read_recipe(const std::string& file);
std::string to_toml(const Recipe& recipe);

// The recipe of a resumed run: `stored`, with what `now` gives where that may change.
// Error invalid lists every given option that differs and may not.
Recipe resumed(const Recipe& stored, const Recipe& now);
// The same check on everything, once `now` is decided.
void check_unchanged(const Recipe& stored, const Recipe& now);

}  // namespace temper
