#pragma once
// Python pickles as data: what a state dict is made of, and nothing that runs. Only a fixed list of names may
// be called or referred to; any other is refused by name, any other opcode by number and offset.
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper::torch {

struct Object;
using Ref = Object*;  // into a Pickle's objects

enum class Kind { none, boolean, integer, real, text, list, dict, global, storage, tensor, other };

struct Object {
  Kind kind = Kind::none;
  int64_t integer = 0;  // boolean, integer; tensor: offset in elements of its storage
  double real = 0;
  std::string text;                        // text; global: "module.name"; storage: its key
  std::vector<Ref> items;                  // list, tuple, set; tensor: {storage}
  std::vector<std::pair<Ref, Ref>> pairs;  // dict, in order
  std::string element;                     // storage: "FloatStorage"
  std::vector<int64_t> sizes, strides;     // tensor
};

// Objects live as long as the Pickle.
class Pickle {
 public:
  // Reads one pickle from bytes[at...] and moves `at` behind it. Error corrupt or unsupported, with `what`
  // (the file) and the byte offset.
  Ref load(std::string_view bytes, size_t& at, const std::string& what);

 private:
  friend class Machine;
  std::deque<Object> objects_;
};

}  // namespace temper::torch
