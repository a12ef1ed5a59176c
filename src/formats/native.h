#pragma once
// temper's own format: a folder X.temper with graph.txt (the text form) and parameters.safetensors, whose
// metadata hold name, labels and preprocessing.
#include "formats/format.h"

namespace temper {

bool is_native(const std::string& path);  // a folder with a graph in it
Model read_native(const std::string& path, const ReadOptions& options);
void write_native(const Model& model, const std::string& path,
                  const WriteOptions& options);  // replaces the folder

}  // namespace temper
