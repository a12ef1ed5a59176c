#pragma once
// Models from files or by architecture: look at them, run them, save them, give them a new head.
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "temper/tensor.h"

namespace temper {

struct NetworkOptions {
  std::string weights;     // of an architecture; empty: random from `seed`
  std::string preprocess;  // replaces what the file says: torch, tf, caffe, raw or steps
  std::string labels;      // a file with a name a line
  uint64_t seed = 0;
};

// Not for several threads at once.
class TEMPER_API Network {
 public:
  // A file (.onnx, .safetensors, ...), a run's folder, or an architecture such as "resnet18" or
  // "mlp:784-128-10". Error not_found with a suggestion; corrupt or unsupported naming what in the file is.
  static Network open(const std::string& model, const NetworkOptions& options = {});
  ~Network();
  Network(Network&&) noexcept;
  Network& operator=(Network&&) noexcept;

  // By the ending of the file's name; whole or not at all.
  void save(const std::string& file) const;

  using Ports = std::vector<std::pair<std::string, Type>>;
  Ports inputs() const;  // symbolic dimensions are free
  Ports outputs() const;
  const std::vector<std::string>& labels() const;
  std::vector<std::string> parameters() const;      // sorted by name
  Tensor parameter(const std::string& name) const;  // shares the bytes; Error not_found
  int64_t parameter_count() const;                  // elements

  // Inference: host tensors in the order of inputs(); compiled for each batch size on first use.
  std::vector<Tensor> run(const std::vector<Tensor>& inputs, std::string_view device = "cpu");

  // What stands after the last spatial map gives way to `steps` ("gap,dense:1024:relu,dense") for these
  // classes.
  void replace_head(std::string_view steps, const std::vector<std::string>& labels, uint64_t seed = 0);

 private:
  friend struct NetworkAccess;
  struct Body;
  explicit Network(std::unique_ptr<Body> body);
  std::unique_ptr<Body> body_;
};

}  // namespace temper
