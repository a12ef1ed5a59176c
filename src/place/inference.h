#pragma once
// A model on a device, ready to answer: batch norms folded, what only parameters decide computed once, one
// program for each batch size, parameters kept on the device in the layout each program wants.
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "model/model.h"
#include "runtime/device.h"

namespace temper {

class Inference {
 public:
  struct Options {
    CompileOptions compile;
    bool fold_batch_norms = true;
    std::vector<std::string> outputs = {};  // by name; empty: all of the model's
    DType precision = DType::f32;           // bf16: see lower_precision
  };

  // `device` must outlive this. Error not_found names an output that the model lacks.
  Inference(Device& device, const Model& model, Options options);
  ~Inference();

  // Host tensors in and out: one per data input in the graph's order, and the chosen outputs. Symbolic
  // dimensions take their sizes from the inputs. Error invalid names the input whose type does not fit. Not
  // for several threads at once.
  std::vector<Tensor> run(std::span<const Tensor> inputs);

  struct Prepared;
  // The program for these sizes; compiled on first use and kept.
  Prepared& prepare(const SymbolSizes& sizes);
  // Runs a prepared program on its own buffers, without copies: for measuring and for callers that fill them.
  void run(Prepared& prepared);

  const std::vector<Port>& inputs() const;  // data inputs only
  const Graph& graph() const { return graph_; }
  Device& device() const { return device_; }

 private:
  Device& device_;
  Options options_;
  Graph graph_;                              // after folding; inputs: parameters and data
  std::map<std::string, Tensor> constants_;  // host; parameters and what was computed from them
  std::vector<Port> data_;
  std::map<SymbolSizes, std::unique_ptr<Prepared>> prepared_;
};

struct Inference::Prepared {
  std::unique_ptr<Executable> executable;
  std::unique_ptr<Context> context;
  std::vector<Tensor> arguments, results;  // on the device
  std::vector<size_t> data;                // which arguments are data, in the order of inputs()
};

}  // namespace temper
