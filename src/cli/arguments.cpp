#include "cli/arguments.h"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/text.h"
#include "temper/error.h"

namespace temper::cli {

struct Arguments::Parser {
  CLI::App app;
  std::vector<std::string> words;
  std::vector<std::string> names;  // "--device", ...
  std::string example, group = "Options";

  CLI::Option* add(CLI::Option* option, std::string_view takes) {
    option->group(group);
    if (!takes.empty()) option->type_name(std::string(takes));
    return option;
  }
  std::string dashed(std::string_view name) { return names.emplace_back(concat("--", name)); }
};

Arguments::Arguments(std::string_view command, std::string_view summary, std::string_view example,
                     std::vector<std::string> words)
    : parser_(std::make_unique<Parser>()) {
  parser_->app.name(concat("temper ", command));
  parser_->app.description(std::string(summary));
  parser_->example = example;
  parser_->words = std::move(words);
  parser_->app.footer(concat("Example:\n  ", example));
  parser_->app.get_formatter()->column_width(36);
  parser_->names.emplace_back("--help");
}

Arguments::~Arguments() = default;

void Arguments::word(std::string_view name, std::string& value, std::string_view help, bool required) {
  CLI::Option* option = parser_->app.add_option(std::string(name), value, std::string(help));
  option->required(required)->type_name("");
}

void Arguments::words(std::string_view name, std::vector<std::string>& values, std::string_view help,
                      bool required) {
  CLI::Option* option = parser_->app.add_option(std::string(name), values, std::string(help));
  option->required(required)->type_name("");
}

void Arguments::option(std::string_view name, std::string& value, std::string_view takes,
                       std::string_view help) {
  parser_->add(parser_->app.add_option(parser_->dashed(name), value, std::string(help)), takes);
}

void Arguments::option(std::string_view name, int64_t& value, std::string_view takes, std::string_view help) {
  parser_->add(parser_->app.add_option(parser_->dashed(name), value, std::string(help)), takes);
}

void Arguments::option(std::string_view name, double& value, std::string_view takes, std::string_view help) {
  parser_->add(parser_->app.add_option(parser_->dashed(name), value, std::string(help)), takes);
}

void Arguments::option(std::string_view name, std::optional<double>& value, std::string_view takes,
                       std::string_view help) {
  parser_->add(parser_->app.add_option(parser_->dashed(name), value, std::string(help)), takes);
}

void Arguments::options(std::string_view name, std::vector<std::string>& values, std::string_view takes,
                        std::string_view help) {
  parser_->add(parser_->app.add_option(parser_->dashed(name), values, std::string(help)), takes)
      ->expected(1)
      ->take_all();
}

void Arguments::flag(std::string_view name, bool& value, std::string_view help) {
  parser_->add(parser_->app.add_flag(parser_->dashed(name), value, std::string(help)), "");
}

void Arguments::group(std::string_view title) { parser_->group = title; }

bool Arguments::parse() {
  // An unknown option is told apart from a value first: CLI11's own message has no suggestion.
  for (const std::string& word : parser_->words) {
    if (word == "--") break;
    if (!word.starts_with("--")) continue;
    const std::string name = word.substr(0, word.find('='));
    if (std::find(parser_->names.begin(), parser_->names.end(), name) != parser_->names.end()) continue;
    const std::string near = closest(name, parser_->names);
    throw Error(ErrorKind::invalid,
                concat("unknown option ", name, near.empty() ? "" : "; did you mean ", near,
                       near.empty() ? concat(" (see ", parser_->app.get_name(), " --help)") : "?"));
  }
  std::vector<std::string> reversed(parser_->words.rbegin(), parser_->words.rend());  // as CLI11 wants them
  try {
    parser_->app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    std::fputs(help().c_str(), stdout);
    return false;
  } catch (const CLI::ArgumentMismatch& error) {
    const std::string_view what = error.what();
    const size_t name = what.find(": At Most 1 required");
    throw Error(ErrorKind::invalid, name == std::string_view::npos
                                        ? std::string(what)
                                        : concat(what.substr(0, name), " is given twice"));
  } catch (const CLI::ParseError& error) {
    throw Error(ErrorKind::invalid, concat(error.what(), " (see ", parser_->app.get_name(), " --help)"));
  }
  return true;
}

bool Arguments::given(std::string_view name) const { return parser_->app.count(concat("--", name)) > 0; }

std::string Arguments::help() const { return parser_->app.help(); }

int64_t parse_bytes(std::string_view option, std::string_view text) {
  int64_t scale = 1;
  std::string_view digits = text;
  const std::string_view units = "kMGT";
  if (!digits.empty()) {
    const size_t unit = digits.back() == 'K' ? 0 : units.find(digits.back());
    if (unit != std::string_view::npos) {
      for (size_t i = 0; i <= unit; ++i) scale *= 1000;
      digits.remove_suffix(1);
    }
  }
  double value = 0;
  if (!parse_number(digits, value) || !(value >= 0) || value * static_cast<double>(scale) > 9e18)
    throw Error(ErrorKind::invalid,
                concat("--", option, ": expected bytes such as 500M or 2G, found '", text, "'"));
  return static_cast<int64_t>(value * static_cast<double>(scale));
}

}  // namespace temper::cli
