#include "place/shared_inference.h"

#include <algorithm>
#include <cstring>
#include <mutex>

#include "base/text.h"
#include "passes/passes.h"
#include "place/shares.h"

namespace temper {
namespace {

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorKind::invalid, concat("device: samples cannot be shared out: ", why));
}

// The symbol that counts samples.
std::string_view samples_symbol(const Inference& model) {
  const Graph& graph = model.graph();
  std::string_view symbol;
  for (const Port& port : model.inputs()) {
    const Shape& shape = graph.type(port.value).shape;
    const bool counts = shape.rank() > 0 && !shape[0].is_static() && shape[0].factor() == 1;
    if (!counts || (!symbol.empty() && shape[0].symbol_name() != symbol) ||
        is_packed(graph.type(port.value).dtype))
      refuse(concat("input ", port.name, " is ", to_string(graph.type(port.value))));
    symbol = shape[0].symbol_name();
  }
  if (symbol.empty()) refuse("the model has no input");
  for (const Port& port : graph.outputs) {
    const Shape& shape = graph.type(port.value).shape;
    if (shape.rank() == 0 || shape[0].is_static() || shape[0].symbol_name() != symbol ||
        is_packed(graph.type(port.value).dtype))
      refuse(concat("output ", port.name, " is ", to_string(graph.type(port.value))));
  }
  if (const std::string why = mixes_samples(graph, symbol); !why.empty()) refuse(why);
  return symbol;
}

int64_t count_samples(const Inference& model, std::span<const Tensor> inputs) {
  const SymbolSizes sizes = bind_symbols(model.inputs(), model.graph(), inputs);
  return sizes.at(std::string(samples_symbol(model)));
}

// `count` rows from `first` on; of `size`, the rest zeros.
Tensor rows_of(const Tensor& all, int64_t samples, int64_t first, int64_t count, int64_t size) {
  Type type = all.type();
  type.shape[0] = size;
  Tensor part(type);
  const int64_t row = all.bytes() / samples;
  std::memcpy(part.mutable_data(), all.data() + first * row, static_cast<size_t>(count * row));
  return part;
}

class Sharing {
 public:
  Sharing(std::span<Inference* const> devices, std::span<const Tensor> inputs)
      : devices_(devices), inputs_(inputs), samples_(count_samples(*devices[0], inputs)) {
    constexpr int64_t kMost = 32, kRounds = 4;
    const int64_t parts = static_cast<int64_t>(devices.size()) * kRounds;
    size_ = std::clamp<int64_t>((samples_ + parts - 1) / parts, 1, kMost);
  }

  std::vector<Tensor> run() {
    WorkShares shares(devices_.size());
    share_work(shares, devices_.size(), (samples_ + size_ - 1) / size_,
               {.work = [this](size_t device, int64_t number) { run_part(*devices_[device], number); }});
    return std::move(results_);
  }

 private:
  void run_part(Inference& model, int64_t number) {
    const int64_t first = number * size_, count = std::min(size_, samples_ - first);
    std::vector<Tensor> inputs;
    for (const Tensor& input : inputs_) inputs.push_back(rows_of(input, samples_, first, count, size_));
    try {
      keep(model.run(inputs), first, count);
    } catch (const Error& error) {
      throw Error(error.kind(), concat("device `", model.device().name(), "`: ", error.what()));
    }
  }

  void keep(const std::vector<Tensor>& part, int64_t first, int64_t count) {
    const std::lock_guard lock(mutex_);
    if (results_.empty()) {
      for (const Tensor& tensor : part) {
        Type type = tensor.type();
        type.shape[0] = type.shape.size(0) / size_ * samples_;
        results_.emplace_back(type);
      }
    }
    for (size_t i = 0; i < part.size(); ++i) {
      const int64_t row = part[i].bytes() / size_;
      std::memcpy(results_[i].mutable_data() + first * row, part[i].data(), static_cast<size_t>(count * row));
    }
  }

  std::span<Inference* const> devices_;
  std::span<const Tensor> inputs_;
  int64_t samples_, size_ = 1;
  std::mutex mutex_;
  std::vector<Tensor> results_;
};

}  // namespace

std::vector<Tensor> run_shared(std::span<Inference* const> devices, std::span<const Tensor> inputs) {
  if (count_samples(*devices[0], inputs) < 2) return devices[0]->run(inputs);
  return Sharing(devices, inputs).run();
}

}  // namespace temper
