#pragma once
// Errors by who must act. `Error` means the user's input, files or machine; a failed TEMPER_CHECK means us.
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "temper/export.h"

namespace temper {

enum class ErrorKind { invalid, unsupported, not_found, corrupt, exhausted, device, internal };

TEMPER_API std::string_view to_string(ErrorKind kind);

// Message: one line that says what was expected, what was found, where, and what to do.
class TEMPER_API Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}

  ErrorKind kind() const { return kind_; }
  const std::string& file() const { return file_; }  // empty if no file is to blame
  const std::string& node() const { return node_; }  // empty if no graph node is to blame

  Error& in_file(std::string file) { return file_ = std::move(file), *this; }
  Error& at_node(std::string node) { return node_ = std::move(node), *this; }

 private:
  ErrorKind kind_;
  std::string file_, node_;
};

}  // namespace temper
