#pragma once
// A plug-in: one shared library that exports GetPjrtApi. Errors have the kind device (exhausted where memory
// ran out) and name the file.
#include <map>
#include <memory>
#include <string>

#include "base/dynamic_library.h"
#include "devices/pjrt/api.h"

namespace temper::pjrt {

class Plugin {
 public:
  // Opened once in a process and never closed: its threads live as long. Error device: no such file, no
  // plug-in, another major version of the API.
  static const Plugin& open(const std::string& path);

  const std::string& path() const { return path_; }
  std::string version() const;   // of the API: "0.81"
  std::string identity() const;  // numbers that change when the file does

  bool has(Function function) const;
  // Error if the call fails: `doing` says what was tried ("compile the program").
  template <class Args>
  void call(Function function, Sent<Args>& args, const char* doing) const {
    call(function, &args.args, doing);
  }
  // The same, but nothing is thrown; for what is let go of and for what a plug-in need not have. False if it
  // failed.
  template <class Args>
  bool try_call(Function function, Sent<Args>& args) const noexcept {
    return try_call(function, &args.args);
  }
  void await(CEvent* event, const char* doing) const;  // until it is ready, then destroys it; null: at once

 private:
  explicit Plugin(std::string path);
  void call(Function function, void* args, const char* doing) const;
  bool try_call(Function function, void* args) const noexcept;
  CError* invoke(Function function, void* args) const noexcept;

  std::string path_;
  DynamicLibrary library_;
  const Api* api_ = nullptr;
};

}  // namespace temper::pjrt
