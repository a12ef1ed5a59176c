#include "temper/network.h"

#include "api/devices.h"
#include "api/network_access.h"
#include "base/text.h"
#include "base/threads.h"
#include "formats/format.h"
#include "nn/head.h"
#include "runtime/registry.h"
#include "temper/error.h"
#include "train/open_model.h"

namespace temper {

Network::Network(std::unique_ptr<Body> body) : body_(std::move(body)) {}
Network::~Network() = default;
Network::Network(Network&&) noexcept = default;
Network& Network::operator=(Network&&) noexcept = default;

Network Network::open(const std::string& model, const NetworkOptions& options) {
  TrainEvents silent;
  auto body = std::make_unique<Body>();
  body->model = open_model({.model = model,
                            .weights = options.weights,
                            .preprocess = options.preprocess,
                            .labels = options.labels,
                            .seed = options.seed},
                           silent);
  return Network(std::move(body));
}

void Network::save(const std::string& file) const { write_model(body_->model, file); }

Network::Ports Network::inputs() const {
  Ports ports;
  const Graph& graph = body_->model.graph;
  for (int at : data_inputs(body_->model)) {
    const Port& port = graph.inputs[static_cast<size_t>(at)];
    ports.emplace_back(port.name, graph.type(port.value));
  }
  return ports;
}

Network::Ports Network::outputs() const {
  Ports ports;
  const Graph& graph = body_->model.graph;
  for (const Port& port : graph.outputs) ports.emplace_back(port.name, graph.type(port.value));
  return ports;
}

const std::vector<std::string>& Network::labels() const { return body_->model.labels; }

std::vector<std::string> Network::parameters() const {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : body_->model.parameters) names.push_back(name);
  return names;
}

Tensor Network::parameter(const std::string& name) const {
  const auto found = body_->model.parameters.find(name);
  if (found != body_->model.parameters.end()) return found->second;
  const std::string near = closest(name, parameters());
  throw Error(ErrorKind::not_found,
              concat("no parameter '", name, "'", near.empty() ? "" : "; did you mean '", near,
                     near.empty() ? "" : "'?"));
}

int64_t Network::parameter_count() const {
  int64_t count = 0;
  for (const auto& [name, tensor] : body_->model.parameters) count += tensor.elements();
  return count;
}

std::vector<Tensor> Network::run(const std::vector<Tensor>& inputs, std::string_view device) {
  register_devices();
  std::unique_ptr<Inference>& inference = body_->inferences[std::string(device)];
  if (!inference) {
    const CompileOptions compile{.threads = available_threads()};
    inference = std::make_unique<Inference>(open_device(device), body_->model,
                                            Inference::Options{.compile = compile});
  }
  if (inputs.size() != inference->inputs().size())
    throw Error(ErrorKind::invalid,
                concat("expected ", inference->inputs().size(), " inputs, found ", inputs.size()));
  return inference->run(inputs);
}

void Network::replace_head(std::string_view steps, const std::vector<std::string>& labels, uint64_t seed) {
  Model& model = body_->model;
  const nn::NewHead head = nn::attach_head(model, nn::default_cut(model), nn::parse_head(steps),
                                           static_cast<int64_t>(labels.size()), seed);
  body_->head = head.parameters;
  model.labels = labels;
  body_->inferences.clear();
}

}  // namespace temper
