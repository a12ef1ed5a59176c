#include "train/recipe.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/text.h"

namespace temper {
namespace {

[[noreturn]] void refuse(std::string_view name, std::string_view wanted, std::string_view found) {
  throw Error(ErrorKind::invalid, concat(name, ": expected ", wanted, ", found \"", found, "\""));
}

const RecipeField& field(std::string_view name) {
  std::vector<std::string> names;
  for (const RecipeField& field : recipe_fields()) {
    if (field.name == name) return field;
    names.emplace_back(field.name);
  }
  const std::string near = closest(name, names);
  throw Error(ErrorKind::invalid,
              concat("there is no option \"", name, "\"", near.empty() ? "" : "; did you mean \"", near,
                     near.empty() ? "" : "\"?"));
}

// 90, 1.5h, 2G: a number and at most one letter that scales it.
double scaled(std::string_view text, std::string_view name, std::string_view wanted,
              std::initializer_list<std::pair<std::string_view, double>> units) {
  double factor = 1, value = 0;
  std::string_view digits = text;
  for (const auto& [unit, scale] : units) {
    if (text.ends_with(unit)) digits = text.substr(0, text.size() - unit.size()), factor = scale;
  }
  if (!parse_number(digits, value) || !std::isfinite(value)) refuse(name, wanted, text);
  return value * factor;
}

double parse_real(std::string_view name, std::string_view text) {
  if (name == "max-time") {
    return scaled(text, name, "a time such as 90s, 10m or 2h", {{"s", 1}, {"m", 60}, {"h", 3600}});
  }
  return scaled(text, name, "a number", {});
}

int64_t parse_integer(std::string_view name, std::string_view text) {
  int64_t value = 0;
  if (parse_number(text, value)) return value;
  if (name == "memory") {
    const double bytes = scaled(text, name, "bytes such as 500M or 2G",
                                {{"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"T", 1099511627776.0}});
    if (!(std::abs(bytes) < 9e18)) refuse(name, "bytes such as 500M or 2G", text);
    return static_cast<int64_t>(bytes);
  }
  refuse(name, "a whole number", text);
}

struct Assign {
  Recipe& recipe;
  std::string_view name, text;
  void operator()(std::string Recipe::* member) const { recipe.*member = text; }
  void operator()(double Recipe::* member) const { recipe.*member = parse_real(name, text); }
  void operator()(std::optional<double> Recipe::* member) const { recipe.*member = parse_real(name, text); }
  void operator()(int64_t Recipe::* member) const { recipe.*member = parse_integer(name, text); }
  void operator()(bool Recipe::* member) const {
    if (text != "true" && text != "false" && !text.empty()) refuse(name, "true or false", text);
    recipe.*member = text != "false";
  }
};

std::string value_text(const Recipe& recipe, const RecipeField& field) {
  return std::visit(
      [&](auto member) -> std::string {
        const auto& value = recipe.*member;
        if constexpr (std::is_same_v<decltype(member), std::optional<double> Recipe::*>) {
          return value ? concat(*value) : std::string();
        } else {
          return concat(value);
        }
      },
      field.member);
}

struct Range {
  std::string_view name;
  double least = 0, most = std::numeric_limits<double>::infinity();
};

const Range kRanges[] = {
    {"val-split", 0, 0.9},
    {"label-smoothing", 0, 0.999},
    {"lr", 0, 1e6},
    {"momentum", 0, 0.9999},
    {"weight-decay", 0},
    {"l1", 0},
    {"warmup", 0, 1e9},
    {"clip-norm", 0},
    {"accumulate", 1, 1e6},
    {"ema", 0, 0.999999},
    {"batch", 1, 1e6},
    {"epochs", 1, 1e6},
    {"max-time", 0},
    {"patience", 0, 1e6},
    {"views", 0, 1e3},
    {"max-drop", 0, 100},
    {"seed", 0},
    {"threads", 0, 4096},
    {"memory", 0},
};

void check_range(const Recipe& recipe, const Range& range) {
  double value = range.least;
  std::visit(
      [&](auto member) {
        if constexpr (std::is_same_v<decltype(member), std::optional<double> Recipe::*>) {
          if (recipe.*member) value = *(recipe.*member);
        } else if constexpr (!std::is_same_v<decltype(member), std::string Recipe::*>) {
          value = static_cast<double>(recipe.*member);
        }
      },
      field(range.name).member);
  if (value >= range.least && value <= range.most) return;
  const std::string wanted = std::isinf(range.most) ? concat("at least ", range.least)
                                                    : concat("between ", range.least, " and ", range.most);
  refuse(range.name, wanted, concat(value));
}

// "sgd|adam" lists all there is; anything with a capital or a bracket has a parser of its own.
void check_choice(const Recipe& recipe, const RecipeField& field) {
  const auto* member = std::get_if<std::string Recipe::*>(&field.member);
  if (!member || (recipe.**member).empty() || field.value.find('|') == std::string_view::npos) return;
  if (field.value.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ[") != std::string_view::npos) return;
  const std::vector<std::string_view> choices = split(field.value, '|');
  if (std::ranges::find(choices, recipe.**member) != choices.end()) return;
  refuse(field.name, concat("one of ", join(choices, ", ")), recipe.**member);
}

}  // namespace

void set(Recipe& recipe, std::string_view name, std::string_view text) {
  std::visit(Assign{recipe, name, text}, field(name).member);
  if (std::ranges::find(recipe.given, name) == recipe.given.end()) recipe.given.emplace_back(name);
}

void check(const Recipe& recipe) {
  for (const RecipeField& field : recipe_fields()) check_choice(recipe, field);
  for (const Range& range : kRanges) check_range(recipe, range);
  for (std::string_view name : {"model", "data"}) {
    if (value_text(recipe, field(name)).empty()) {
      throw Error(ErrorKind::invalid, concat(name, ": is missing; say it as an option or in the recipe"));
    }
  }
  if (recipe.lr && *recipe.lr == 0) refuse("lr", "more than 0", "0");
  if (recipe.nesterov && (recipe.optimizer != "sgd" || recipe.momentum == 0)) {
    throw Error(ErrorKind::invalid, "nesterov: needs optimizer sgd with a momentum above 0");
  }
  if (recipe.momentum > 0 && recipe.optimizer != "sgd" && recipe.optimizer != "rmsprop") {
    throw Error(ErrorKind::invalid,
                concat("momentum: optimizer ", recipe.optimizer, " has none; sgd and rmsprop do"));
  }
  if (recipe.resume && recipe.overwrite) {
    throw Error(ErrorKind::invalid, "overwrite: contradicts resume; give one of the two");
  }
}

static void refuse_changes(const std::vector<std::string>& changes) {
  if (changes.empty()) return;
  throw Error(ErrorKind::invalid,
              concat("resume: a run goes on with the options it began with, but these differ: ",
                     join(changes, ", "), "; start another run with --out or --overwrite"));
}

static std::string change(std::string_view name, const std::string& before, const std::string& after) {
  return concat(name, " (was ", before.empty() ? "not set" : before, ", now ",
                after.empty() ? "not set" : after, ")");
}

Recipe resumed(const Recipe& stored, const Recipe& now) {
  Recipe result = stored;
  const Recipe defaults;
  std::vector<std::string> changes;
  for (const RecipeField& field : recipe_fields()) {
    const bool given = std::ranges::find(now.given, field.name) != now.given.end() ||
                       value_text(now, field) != value_text(defaults, field);
    if (!given && field.rule != RecipeField::not_stored) continue;
    const std::string before = value_text(stored, field), after = value_text(now, field);
    if (field.rule == RecipeField::fixed) {
      if (before != after) changes.push_back(change(field.name, before, after));
    } else {
      std::visit([&](auto member) { result.*member = now.*member; }, field.member);
    }
  }
  refuse_changes(changes);
  return result;
}

void check_unchanged(const Recipe& stored, const Recipe& now) {
  std::vector<std::string> changes;
  for (const RecipeField& field : recipe_fields()) {
    if (field.rule != RecipeField::fixed && field.rule != RecipeField::resolved) continue;
    const std::string before = value_text(stored, field), after = value_text(now, field);
    if (before != after) changes.push_back(change(field.name, before, after));
  }
  refuse_changes(changes);
}

}  // namespace temper
