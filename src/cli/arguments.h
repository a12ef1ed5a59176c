#pragma once
// One command's words and options: declared, parsed, explained in its help.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace temper::cli {

class Arguments {
 public:
  // `words` are those after the command. `example` is one line.
  Arguments(std::string_view command, std::string_view summary, std::string_view example,
            std::vector<std::string> words);
  ~Arguments();

  // Names without dashes. Defaults are what the variables hold; references must outlive parse().
  void word(std::string_view name, std::string& value, std::string_view help, bool required = true);
  void words(std::string_view name, std::vector<std::string>& values, std::string_view help,
             bool required = true);
  void option(std::string_view name, std::string& value, std::string_view takes, std::string_view help);
  void option(std::string_view name, int64_t& value, std::string_view takes, std::string_view help);
  void option(std::string_view name, double& value, std::string_view takes, std::string_view help);
  void option(std::string_view name, std::optional<double>& value, std::string_view takes,
              std::string_view help);
  void options(std::string_view name, std::vector<std::string>& values, std::string_view takes,
               std::string_view help);
  void flag(std::string_view name, bool& value, std::string_view help);
  void group(std::string_view title);  // options declared from here on stand under this title

  // False if help was asked for, and printed. Error invalid for an unknown option (with a suggestion), a
  // missing word, a value that does not parse.
  bool parse();
  bool given(std::string_view name) const;  // the option stood on the command line
  std::string help() const;

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

// "500M", "2G", "1000000" in bytes. Error invalid names the option.
int64_t parse_bytes(std::string_view option, std::string_view text);

}  // namespace temper::cli
