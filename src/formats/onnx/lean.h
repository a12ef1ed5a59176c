#pragma once
// A file without the bytes of its large initialisers: protobuf would copy each of them.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace temper::onnx {

struct LeanFile {
  std::string message;  // the same model, but without those bytes
  std::vector<std::string_view>
      bytes;  // in the file, by initialiser of the graph; empty: they are in `message`
};

// None if there is little to leave out, or if the file is not plainly well-formed.
std::optional<LeanFile> lean(std::string_view file);

}  // namespace temper::onnx
