#pragma once
// A shared library opened at run time; closed with the last copy.
#include <initializer_list>
#include <memory>
#include <string>

namespace temper {

class DynamicLibrary {
 public:
  // The first of `names` that opens (a path, or a name for the loader to find). Error not_found with the
  // loader's reasons.
  static DynamicLibrary open(std::initializer_list<const char*> names);
  static DynamicLibrary open(const std::string& name) { return open({name.c_str()}); }

  const std::string& name() const { return name_; }

  void* find(const char* symbol) const;  // null if absent

  // Error not_found if absent. symbol<int (*)(int)>("f")
  template <class Pointer>
  Pointer symbol(const char* symbol) const {
    return reinterpret_cast<Pointer>(require(symbol));
  }

 private:
  DynamicLibrary(std::string name, std::shared_ptr<void> handle)
      : name_(std::move(name)), handle_(std::move(handle)) {}
  void* require(const char* symbol) const;

  std::string name_;
  std::shared_ptr<void> handle_;
};

}  // namespace temper
