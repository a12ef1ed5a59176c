// Recipes as flat TOML.
#include <fstream>
#include <sstream>

#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

#include "base/text.h"
#include "train/recipe.h"

namespace temper {
namespace {

// A value as the command line would say it.
std::string text_of(const toml::node& node, std::string_view key) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return concat(number->get());
  if (const auto* number = node.as_floating_point()) return concat(number->get());
  if (const auto* flag = node.as_boolean()) return concat(flag->get());
  throw Error(ErrorKind::invalid, concat(key, ": expected a text, a number or a flag; a recipe is flat"));
}

struct PrintValue {
  const Recipe& recipe;
  std::ostream& out;
  void operator()(std::string Recipe::* member) const { out << toml::value<std::string>(recipe.*member); }
  void operator()(bool Recipe::* member) const { out << (recipe.*member ? "true" : "false"); }
  void operator()(std::optional<double> Recipe::* member) const { out << concat(*(recipe.*member)); }
  void operator()(auto member) const { out << concat(recipe.*member); }
};

bool is_set(const Recipe& recipe, const RecipeField& field) {
  if (const auto* text = std::get_if<std::string Recipe::*>(&field.member)) return !(recipe.**text).empty();
  if (const auto* number = std::get_if<std::optional<double> Recipe::*>(&field.member))
    return (recipe.**number).has_value();
  return true;
}

}  // namespace

Recipe parse_recipe(std::string_view text, const std::string& file) {
  Recipe recipe;
  try {
    const toml::table table = toml::parse(text, file);
    for (const auto& [key, node] : table) {
      try {
        set(recipe, key.str(), text_of(node, key.str()));
      } catch (const Error& error) {
        throw Error(error.kind(), concat(file, ", line ", node.source().begin.line, ": ", error.what()))
            .in_file(file);
      }
    }
  } catch (const toml::parse_error& error) {
    throw Error(ErrorKind::invalid, concat(file, ", line ", error.source().begin.line, ", column ",
                                           error.source().begin.column, ": ", error.description()))
        .in_file(file);
  }
  return recipe;
}

Recipe read_recipe(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  if (!in || !(text << in.rdbuf())) {
    throw Error(ErrorKind::not_found, concat("there is no recipe ", file, ", or it cannot be read"))
        .in_file(file);
  }
  return parse_recipe(text.view(), file);
}

std::string to_toml(const Recipe& recipe) {
  std::ostringstream out;
  for (const RecipeField& field : recipe_fields()) {
    if (field.rule == RecipeField::not_stored || !is_set(recipe, field)) continue;
    out << field.name << " = ";
    std::visit(PrintValue{recipe, out}, field.member);
    out << '\n';
  }
  return out.str();
}

}  // namespace temper
