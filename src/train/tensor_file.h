#pragma once
// A safetensors file under construction: its tensors are writable and shared with the disk.
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "temper/tensor.h"

namespace temper {

// commit() gives the file its name; without, nothing is left.
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
