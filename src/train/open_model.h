#pragma once
// MODEL of the command line: a file, a run's folder, a folder of Hugging Face, or a built-in architecture.
#include <string>
#include <vector>

#include "model/model.h"
#include "train/events.h"

namespace temper {

struct ModelSource {
  std::string model;       // "mobilenet.onnx", "runs/1", "resnet18", "mlp:784-128-10"
  std::string weights;     // for an architecture; empty: random from `seed`, which is said
  std::string shape;       // "NAME=1x3x224x224[,...]": fixes free dimensions
  std::string preprocess;  // replaces what the file says
  std::string labels;      // a file with a name a line; replaces the file's
  uint64_t seed = 0;
  std::vector<std::string>* other_files = nullptr;  // receives those that hold parts of the model, too
};

// The file that `model` means, a run's folder resolved; empty for an architecture and for what is not there.
std::string model_file(const std::string& model);

// Error not_found with a suggestion, or what the reader throws.
Model open_model(const ModelSource& source, TrainEvents& events);

}  // namespace temper
