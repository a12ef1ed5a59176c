#pragma once
// The safetensors format: named tensors and string metadata, no graph.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "formats/format.h"

namespace temper {

struct Safetensors {
  std::map<std::string, Tensor> tensors;  // large ones borrow the mapped file
  std::map<std::string, std::string> metadata;
};

// Error corrupt names the tensor whose range is out of the file or overlaps another's.
Safetensors read_safetensors_file(const std::string& path);
// Equal content gives equal bytes. Error unsupported for element types that the format lacks.
void write_safetensors_file(const Safetensors& content, const std::string& path);

// What stands before the tensors' bytes, which follow one another in this order: the header's length and the
// header, padded so that the bytes begin at a multiple of 64. Error unsupported as above.
std::string safetensors_header(const std::vector<std::pair<std::string, Type>>& tensors,
                               const std::map<std::string, std::string>& metadata, const std::string& path);

Model read_safetensors(const std::string& path, const ReadOptions& options);  // parameters alone
void write_safetensors(const Model& model, const std::string& path, const WriteOptions& options);

}  // namespace temper
