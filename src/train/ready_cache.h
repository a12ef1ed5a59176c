#pragma once
// Programs ready to run, kept between processes: a start that finds its own maps one file, parameters as the
// device wants them inside; it reads no model, compiles no graph and moves no weights.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/model.h"
#include "runtime/device.h"

namespace temper {

struct ReadyProgram {
  Program program;                           // its clusters are left out
  std::map<std::string, Tensor> parameters;  // by argument, on the device
  Model about;                               // data inputs, labels and preprocessing of the model
  std::vector<std::string> notes;            // what was said when it was read
};

// Of one model file. What the file held when this was made counts: it must come before the file is read.
class ReadyCache {
 public:
  // how: all that a program depends on beside the file, this program and the processor.
  ReadyCache(Device& device, std::string model_file, const std::string& how);

  // None if there is none, or none for the file as it is now. Error corrupt if it is damaged.
  std::optional<ReadyProgram> find();
  // Nothing happens where nothing can be kept, or if the file changed since.
  void keep(const ReadyProgram& ready);

 private:
  struct Identity {
    std::string text;      // numbers of the file system that a change of the file changes, too
    bool settled = false;  // the last change is so long ago that the next gets another time
  };
  static Identity identity_of(const std::string& file);
  uint64_t content();

  Device& device_;
  std::string file_, key_, path_;  // no path: no cache
  Identity identity_;
  std::optional<uint64_t> content_;
};

}  // namespace temper
