#include "place/inference.h"

#include <algorithm>

#include "base/text.h"
#include "passes/passes.h"
#include "runtime/compile.h"

namespace temper {
namespace {

Graph chosen_outputs(const Model& model, const std::vector<std::string>& names) {
  Graph graph = model.graph;
  if (names.empty()) return graph;
  std::vector<Port> outputs;
  for (const std::string& name : names) {
    const Value value = graph.find_output(name);
    if (!value) throw Error(ErrorKind::not_found, concat("the model has no output '", name, "'"));
    outputs.push_back({name, value});
  }
  graph.outputs = std::move(outputs);
  graph.donations.clear();
  return eliminate_dead(graph);
}

}  // namespace

Inference::Inference(Device& device, const Model& model, Options options)
    : device_(device), options_(std::move(options)), constants_(model.parameters) {
  options_.compile.sole_reader = true;  // a program has arguments of its own

  graph_ = chosen_outputs(model, options_.outputs);
  if (options_.fold_batch_norms)
    graph_ = temper::fold_batch_norms(graph_, [](const Graph&, const Node&) { return true; });
  if (options_.precision == DType::bf16) graph_ = lower_precision(graph_);
  const Split split =
      split_frozen(graph_, [&](const std::string& name) { return !model.parameters.contains(name); });
  if (!split.features.empty()) {
    std::vector<Tensor> arguments;
    for (const Port& port : split.prefix.inputs) arguments.push_back(constants_.at(port.name));
    const std::vector<Tensor> values =
        run_once(device_, split.prefix, std::move(arguments), options_.compile);
    for (size_t i = 0; i < values.size(); ++i) constants_[split.features[i]] = values[i];
    graph_ = split.suffix;
  }
  graph_ = bind_quantised(graph_, constants_);
  for (const Port& port : graph_.inputs) {
    if (!constants_.contains(port.name)) data_.push_back(port);
  }
  // Only what the remaining graph reads is kept.
  std::erase_if(constants_, [&](const auto& entry) { return !graph_.find_input(entry.first); });
}

Inference::~Inference() = default;

const std::vector<Port>& Inference::inputs() const { return data_; }

Inference::Prepared& Inference::prepare(const SymbolSizes& sizes) {
  std::unique_ptr<Prepared>& prepared = prepared_[sizes];
  if (prepared) return *prepared;
  auto fresh = std::make_unique<Prepared>();
  fresh->executable = compile(device_, specialise_in_parts(graph_, sizes), options_.compile);
  fresh->context = fresh->executable->make_context();
  const Program& program = fresh->executable->program();
  for (const Argument& argument : program.inputs) {
    const auto found = constants_.find(argument.name);
    if (found == constants_.end()) {
      fresh->arguments.push_back(device_.allocate(argument.type, argument.layout));
    } else {
      fresh->arguments.push_back(upload(device_, found->second, argument));
    }
  }
  for (const Port& port : data_) {
    const auto at = std::find_if(program.inputs.begin(), program.inputs.end(),
                                 [&](const Argument& argument) { return argument.name == port.name; });
    TEMPER_CHECK(at != program.inputs.end(), "the program lost input ", port.name);
    fresh->data.push_back(static_cast<size_t>(at - program.inputs.begin()));
  }
  for (const Argument& argument : program.outputs)
    fresh->results.push_back(device_.allocate(argument.type, argument.layout));
  prepared = std::move(fresh);
  return *prepared;
}

void Inference::run(Prepared& prepared) {
  prepared.executable->run(*prepared.context, prepared.arguments, prepared.results);
}

std::vector<Tensor> Inference::run(std::span<const Tensor> inputs) {
  Prepared& prepared = prepare(bind_symbols(data_, graph_, inputs));
  for (size_t i = 0; i < inputs.size(); ++i) device_.copy(inputs[i], prepared.arguments[prepared.data[i]]);
  run(prepared);
  std::vector<Tensor> results;
  for (const Tensor& result : prepared.results) results.push_back(download(device_, result));
  return results;
}

}  // namespace temper
