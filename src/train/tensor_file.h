#pragma once
// Named tensors in one file of the safetensors layout: 8 bytes of header length, a JSON header, the bytes.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "temper/tensor.h"

namespace temper {

struct TensorFile {
  std::map<std::string, Tensor> tensors;        // row-major, on the host
  std::map<std::string, std::string> metadata;  // free text
};

// Complete or not there: a temporary file, synced and renamed. Errors name the path; a full disk is
// exhausted.
void write_tensor_file(const std::string& path, const TensorFile& file);

// Tensors borrow the mapped file. Error corrupt names the file and the tensor whose bytes are not all there.
TensorFile read_tensor_file(const std::string& path);

// The same layout under construction: its tensors are writable and shared with the disk. commit() gives it
// its name; without, nothing is left.
class MappedTensorFile {
 public:
  // Reserves all bytes. Error exhausted if the disk does not hold them.
  MappedTensorFile(std::string path, const std::vector<std::pair<std::string, Type>>& types,
                   const std::map<std::string, std::string>& metadata);
  ~MappedTensorFile();
  MappedTensorFile(const MappedTensorFile&) = delete;
  MappedTensorFile& operator=(const MappedTensorFile&) = delete;

  Tensor& tensor(const std::string& name) { return tensors_.at(name); }
  void commit();

 private:
  std::string path_, temporary_;
  std::shared_ptr<void> mapping_;  // unmaps; the tensors hold it too
  size_t bytes_ = 0;
  std::map<std::string, Tensor> tensors_;
};

}  // namespace temper
