#include <algorithm>
#include <cstdio>
#include <map>

#include "base/process_age.h"
#include "base/text.h"
#include "cli/command.h"
#include "report/table.h"
#include "temper/error.h"
#include "train/recipe.h"
#include "train/result.h"
#include "train/trainer.h"

namespace temper::cli {
namespace {

std::string score_text(double value) { return percent_text(value); }

void print_result(const TrainResult& result) {
  TextTable table({"split", "loss", "accuracy"});
  if (result.train)
    table.row({"train", short_number(result.train->loss), score_text(result.train->accuracy)});
  if (result.val) table.row({"val", short_number(result.val->loss), score_text(result.val->accuracy)});
  if (result.test) table.row({"test", short_number(result.test->loss), score_text(result.test->accuracy)});
  std::string text = concat("\n", table.text(), "\n");
  text +=
      concat(count_text(result.parameters_trained), " of ", count_text(result.parameters_total),
             " parameters trained on ", devices_text(result), " in ", duration_text(result.seconds.total));
  if (result.best_epoch > 0) text += concat(", best epoch ", result.best_epoch);
  text += "\n";
  size_t width = 0;
  for (const auto& [name, file] : result.files) width = std::max(width, name.size());
  for (const auto& [name, file] : result.files)
    text += concat("  ", name, std::string(width - name.size(), ' '), "  ", file, "\n");
  std::fputs(text.c_str(), stdout);
}

// Every option of the recipe as text; flags as booleans. `set` reads the text, so that a file and the command
// line are read by the same rules.
struct RecipeOptions {
  std::map<std::string, std::string, std::less<>> texts;
  std::map<std::string, bool, std::less<>> flags;

  void declare(Arguments& arguments) {
    for (const RecipeField& field : recipe_fields()) {
      if (field.name == "model") continue;
      const std::string name(field.name);
      if (field.value.empty())
        arguments.flag(name, flags[name], field.help);
      else
        arguments.option(name, texts[name], field.value, field.help);
    }
  }
  void apply(const Arguments& arguments, Recipe& recipe) const {
    for (const auto& [name, text] : texts) {
      if (arguments.given(name)) set(recipe, name, text);
    }
    for (const auto& [name, on] : flags) {
      if (arguments.given(name)) set(recipe, name, on ? "true" : "false");
    }
  }
};

void print_recipe(const Recipe& recipe) { std::fputs(to_toml(recipe).c_str(), stdout); }

}  // namespace

int tune(const std::vector<std::string>& words) {
  Arguments arguments(
      "tune", "Trains a head, a part or all of a model on your data; or repeats a recipe.toml.",
      "temper tune mobilenet.onnx --data photos --preprocess tf --head gap,dense:1024:relu,dense", words);
  std::string model;
  Common common;
  RecipeOptions options;
  bool dry_run = false;
  arguments.word("MODEL", model,
                 "a file, a run's folder, an architecture such as resnet18, or a recipe.toml");
  options.declare(arguments);
  arguments.flag("dry-run", dry_run, "check everything, print the recipe, train nothing");
  common.declare(arguments);
  if (!arguments.parse()) return 0;

  Recipe recipe;
  if (model.ends_with(".toml"))
    recipe = read_recipe(model);
  else
    set(recipe, "model", model);
  options.apply(arguments, recipe);
  check(recipe);
  if (dry_run) return print_recipe(recipe), 0;

  TerminalEvents events(common);
  events.expect_epochs(recipe.epochs);
  const TrainResult result = train(recipe, events, process_age_seconds());
  events.clear();
  const Json json = Json::parse(to_json(result));
  if (result.status == TrainResult::interrupted)
    return finish({.json = common.json}, json), 128 + result.stop_signal;
  if (!common.json && !common.quiet) print_result(result);
  return finish(common, json);
}

}  // namespace temper::cli
