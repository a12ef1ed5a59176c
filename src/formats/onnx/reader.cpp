#include <deque>
#include <map>

#include "formats/onnx/call.h"
#include "formats/onnx/onnx.h"
#include "formats/onnx/order.h"
#include "passes/passes.h"

namespace temper::onnx {

namespace {

constexpr int kDeepest = 64;  // functions and branches inside one another

class Reader final : public Scope {
 public:
  Reader(const ModelDef& file, const std::string& path, const ReadOptions& options,
         std::string_view free_batch)
      : file_(file),
        path_(path),
        options_(options),
        free_batch_(free_batch),
        builder_(graph_),
        known_(graph_) {}

  Model read() {
    check_opset();
    collect_wanted();
    frames_.emplace_back();
    add_initializers(file_.graph);
    add_inputs();
    read_nodes(file_.graph.nodes, file_.opsets);
    report_problems();
    add_outputs();
    Model model;
    model.graph = eliminate_dead(graph_);
    model.parameters = std::move(parameters_);
    model.name = file_.graph.name;
    take_metadata(model, file_.metadata);
    return model;
  }

  // Scope
  Value value(const std::string& name) override {
    Slot& slot = find(name);
    if (!slot.value) slot.value = materialise(*slot.initializer);
    return slot.value;
  }
  Value fixed(const std::string& name) override {
    Slot& slot = find(name);
    if (!slot.value && !slot.initializer->tensor.empty()) slot.value = constant(*slot.initializer);
    return value(name);
  }
  Type type(const std::string& name) override {
    const Slot& slot = find(name);
    if (slot.value || slot.initializer->tensor.empty()) return builder_.type(value(name));
    return slot.initializer->tensor.type();
  }
  std::optional<Known> known(const std::string& name) override {
    const Slot& slot = find(name);
    if (slot.initializer)
      return slot.initializer->tensor.empty() ? std::nullopt : known_tensor(slot.initializer->tensor);
    const Known* found = known_.find(slot.value);
    return found ? std::optional(*found) : std::nullopt;
  }
  bool wanted(const std::string& name) override { return wanted_.contains(name); }
  void note(std::string text) override {
    if (options_.notes) options_.notes->push_back(std::move(text));
  }
  std::string_view free_batch() const override { return free_batch_; }

  Results inline_graph(const GraphDef& body) override {
    if (frames_.size() > kDeepest)
      throw Error(ErrorKind::unsupported, concat("branches lie more than ", kDeepest, " deep"));
    frames_.emplace_back();
    add_initializers(body);
    read_nodes(body.nodes, opsets_.back());
    Results results;
    for (const ValueDef& output : body.outputs)
      results.push_back(broken(output.name) ? Value() : value(output.name));
    frames_.pop_back();
    return results;
  }

 private:
  struct Slot {
    Value value;
    const InitializerDef* initializer = nullptr;
    bool broken = false;  // its node could not be read
  };
  struct Frame {
    std::map<std::string, Slot> slots;
    bool opaque = false;  // a function sees nothing of what is around it
  };
  using Opsets = std::map<std::string, int64_t>;

  template <class... Parts>
  Error error(ErrorKind kind, const Parts&... parts) const {
    Error result(kind, concat(path_, ": ", concat(parts...)));
    return result.in_file(path_);
  }

  // What the caller asks for does not suit the file: the file is not at fault.
  template <class... Parts>
  Error mistake(const Parts&... parts) const {
    return Error(ErrorKind::invalid, concat(path_, ": ", concat(parts...)));
  }

  void check_opset() const {
    const auto opset = file_.opsets.find("");
    if (opset == file_.opsets.end())
      throw error(ErrorKind::corrupt, "the file does not say which opset of ONNX it uses");
    if (opset->second < 1 || opset->second > kNewest)
      throw error(ErrorKind::unsupported, "opset ", opset->second, " of ONNX, expected 7 to ", kNewest,
                  " (older: where the operators have not changed)");
  }

  void collect_wanted() {
    for (const NodeDef& node : file_.graph.nodes) wanted_.merge(reads(node));
    for (const ValueDef& output : file_.graph.outputs) wanted_.insert(output.name);
    for (const FunctionDef& function : file_.functions) {
      for (const NodeDef& node : function.nodes) wanted_.merge(reads(node));
      wanted_.insert(function.outputs.begin(), function.outputs.end());
    }
  }

  // --- names ---

  Slot* look_up(const std::string& name) {
    for (size_t i = frames_.size(); i-- > 0;) {
      const auto found = frames_[i].slots.find(name);
      if (found != frames_[i].slots.end()) return &found->second;
      if (frames_[i].opaque) break;
    }
    return nullptr;
  }
  Slot& find(const std::string& name) {
    Slot* slot = look_up(name);
    if (!slot || slot->broken) throw error(ErrorKind::corrupt, "'", name, "' has no value");
    return *slot;
  }
  bool broken(const std::string& name) {
    const Slot* slot = look_up(name);
    return !slot || slot->broken;
  }
  std::set<std::string> visible() const {
    std::set<std::string> names;
    for (size_t i = frames_.size(); i-- > 0;) {
      for (const auto& [name, slot] : frames_[i].slots) names.insert(name);
      if (frames_[i].opaque) break;
    }
    return names;
  }

  // --- inputs, parameters, outputs ---

  void add_initializers(const GraphDef& graph) {
    for (const InitializerDef& entry : graph.initializers) {
      if (entry.name.empty()) throw error(ErrorKind::corrupt, "an initialiser has no name");
      if (!frames_.back().slots.emplace(entry.name, Slot{{}, &entry}).second)
        throw error(ErrorKind::corrupt, "two initialisers are named '", entry.name, "'");
    }
  }

  Value constant(const InitializerDef& entry) {
    return builder_.emit(constant_op, {}, {{"value", entry.tensor}}, entry.name);
  }

  // Floats with an axis train; integers, truth values and single numbers are constants.
  Value materialise(const InitializerDef& entry) {
    if (entry.tensor.empty())
      throw error(ErrorKind::unsupported, "initialiser '", entry.name, "' holds ", entry.problem);
    const Type& type = entry.tensor.type();
    if (!is_float(type.dtype) || bit_width(type.dtype) < 16 || type.shape.rank() == 0 || frames_.size() > 1)
      return constant(entry);
    parameters_[entry.name] = entry.tensor;
    return builder_.input(entry.name, type);
  }

  void add_inputs() {
    std::set<std::string> names;
    SymbolSizes sizes = fixed_sizes();
    for (const ValueDef& input : file_.graph.inputs) {
      if (!names.insert(input.name).second)
        throw error(ErrorKind::corrupt, "two inputs are named '", input.name, "'");
      if (frames_.back().slots.contains(input.name)) continue;  // old files list initialisers too
      if (!input.dtype) {
        frames_.back().slots[input.name].broken = true;
        if (wanted_.contains(input.name))
          problems_.push_back(concat("input '", input.name, "': ", input.problem));
        continue;
      }
      Shape shape = input_shape(input, sizes);
      if (!free_batch_.empty() && shape.rank() >= 2 && shape[0] == Dim(1))
        shape[0] = Dim::symbol(free_batch_);
      const Value value = builder_.input(input.name, {*input.dtype, shape});
      frames_.back().slots[input.name].value = value;
      if (const auto given = options_.values.find(input.name); given != options_.values.end()) {
        if (given->second.dtype() != *input.dtype)
          throw mistake("input '", input.name, "' is ", to_string(*input.dtype), ", given was ",
                        to_string(given->second.dtype()));
        known_.bind(value, given->second);
      }
    }
  }

  // Sizes that options.shapes gives to the symbols of the file.
  SymbolSizes fixed_sizes() const {
    SymbolSizes sizes;
    for (const auto& [name, shape] : options_.shapes) {
      const auto input = std::find_if(file_.graph.inputs.begin(), file_.graph.inputs.end(),
                                      [&](const ValueDef& each) { return each.name == name; });
      if (input == file_.graph.inputs.end()) {
        std::vector<std::string> all;
        for (const ValueDef& each : file_.graph.inputs) all.push_back(each.name);
        throw mistake("no input is named '", name, "'; the model has ", join(all, ", "));
      }
      if (!input->shape) continue;
      bool fits = input->shape->rank() == shape.rank();
      for (int i = 0; fits && i < shape.rank(); ++i) {
        const Dim& dim = (*input->shape)[i];
        fits = !dim.is_static() || dim == shape[i];
        if (!dim.is_static() && shape[i].is_static())
          sizes[std::string(dim.symbol_name())] = shape[i].size() / dim.factor();
      }
      if (!fits)
        throw mistake("input '", name, "' is ", to_string(*input->shape), ", given was ", to_string(shape));
    }
    return sizes;
  }

  Shape input_shape(const ValueDef& input, const SymbolSizes& sizes) const {
    const auto given = options_.shapes.find(input.name);
    if (!input.shape && given == options_.shapes.end())
      throw mistake("the file gives no shape for input '", input.name, "'; give one with --shape ",
                    input.name, "=...");
    Shape shape = specialise(given != options_.shapes.end() ? given->second : *input.shape, sizes);
    for (const Dim& dim : shape)
      if (dim.factor() < 0 || dim.factor() > (int64_t{1} << 40))
        throw error(ErrorKind::corrupt, "input '", input.name, "' has shape ", to_string(shape),
                    ", expected sizes from 0 to 2^40");
    return shape;
  }

  void add_outputs() {
    std::set<std::string> names;
    if (file_.graph.outputs.empty()) throw error(ErrorKind::corrupt, "the graph has no outputs");
    for (const ValueDef& output : file_.graph.outputs) {
      if (!names.insert(output.name).second)
        throw error(ErrorKind::corrupt, "two outputs are named '", output.name, "'");
      builder_.set_default_name(output.name);
      builder_.output(output.name, value(output.name));
    }
  }

  // --- nodes ---

  void read_nodes(const std::vector<NodeDef>& nodes, const Opsets& opsets) {
    opsets_.push_back(opsets);
    for (const int index : ordered(nodes, visible(), path_))
      read_node(nodes[static_cast<size_t>(index)], index);
    opsets_.pop_back();
    if (frames_.size() == 1)
      for (const ValueDef& output : file_.graph.outputs)
        if (!look_up(output.name))
          throw error(ErrorKind::corrupt, "output '", output.name, "' is produced by no node");
  }

  int64_t opset_of(const NodeDef& node) const {
    const auto found = opsets_.back().find(node.domain);
    return found == opsets_.back().end() ? 0 : found->second;
  }

  void define(const NodeDef& node, const Results& results) {
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      Slot& slot = frames_.back().slots[node.outputs[i]];
      if (i < results.size()) slot.value = results[i];
      slot.broken = !slot.value;
    }
  }

  void read_node(const NodeDef& node, int index) {
    const std::string where = concat(describe(node, index).substr(0, describe(node, index).size() - 1),
                                     ", opset ", opset_of(node), ")");
    for (const std::string& name : reads(node)) {
      if (broken(name)) return define(node, {});  // what broke it is reported already
    }
    if (node.op_type == "Identity" && node.domain.empty() && node.inputs.size() == 1 &&
        node.outputs.size() == 1 && alias(node))
      return;
    builder_.set_default_name(label(node));
    try {
      define(node, emit(node));
    } catch (const Error& problem) {
      if (problem.kind() == ErrorKind::internal || problem.kind() == ErrorKind::exhausted) throw;
      if (problem.kind() != ErrorKind::unsupported)
        throw error(problem.kind(), where, ": ", problem.what()).at_node(label(node));
      define(node, {});
      problems_.push_back(concat(where, ": ", problem.what()));
      if (first_problem_.empty()) first_problem_ = label(node);
    }
  }

  Results emit(const NodeDef& node) {
    for (const FunctionDef& function : file_.functions)
      if (function.name == node.op_type && function.domain == node.domain)
        return call_function(function, node);
    const int64_t opset = opset_of(node);
    const Row* row = node.domain.empty() ? find_row(node.op_type, opset) : nullptr;
    if (!row) {
      const bool known = node.domain.empty() && known_operator(node.op_type);
      throw Error(ErrorKind::unsupported,
                  known ? "the operator has no such opset" : "the operator is not known");
    }
    Call call(builder_, *this, node, opset);
    const size_t problems = problems_.size();
    Results results = row->read(call);
    if (const std::vector<std::string> unread = call.unread(); !unread.empty())
      throw Error(ErrorKind::unsupported, concat("attribute ", join(unread, ", "), " is not known"));
    if (problems_.size() > problems) return results;  // what a branch lacks is said already
    for (size_t i = 0; i < node.outputs.size(); ++i)
      if (call.wants(i) && (i >= results.size() || !results[i]))
        throw Error(ErrorKind::unsupported, concat("output '", node.outputs[i], "' is not made"));
    return results;
  }

  // The body in place of the call, with the call's attributes where it refers to them.
  Results call_function(const FunctionDef& function, const NodeDef& node) {
    if (frames_.size() > kDeepest)
      throw Error(ErrorKind::unsupported, concat("functions lie more than ", kDeepest, " deep"));
    Frame frame;
    frame.opaque = true;
    for (size_t i = 0; i < function.inputs.size(); ++i) {
      const bool given = i < node.inputs.size() && !node.inputs[i].empty();
      if (given) frame.slots[function.inputs[i]] = find(node.inputs[i]);
    }
    bodies_.push_back(function.nodes);
    for (NodeDef& inner : bodies_.back()) bind_attributes(inner, node);
    frames_.push_back(std::move(frame));
    read_nodes(bodies_.back(), function.opsets);
    Results results;
    for (const std::string& output : function.outputs)
      results.push_back(broken(output) ? Value() : value(output));
    frames_.pop_back();
    return results;
  }

  static void bind_attributes(NodeDef& inner, const NodeDef& call) {
    std::vector<AttributeDef> bound;
    for (AttributeDef& attribute : inner.attributes) {
      if (attribute.kind != "reference") {
        bound.push_back(std::move(attribute));
        continue;
      }
      for (const AttributeDef& given : call.attributes) {
        if (given.name != std::get<std::string>(attribute.value)) continue;
        bound.push_back(given);
        bound.back().name = attribute.name;
      }
    }
    inner.attributes = std::move(bound);
  }

  // Identity of an initialiser: a genuine tie keeps one parameter under two names. Exporters also merge
  // tensors that merely hold the same number everywhere (fresh biases, statistics); those become parameters
  // of their own again.
  bool alias(const NodeDef& node) {
    const Slot& slot = find(node.inputs[0]);
    if (!slot.initializer || slot.initializer->tensor.empty()) return false;
    const Tensor& tensor = slot.initializer->tensor;
    Slot& result = frames_.back().slots[node.outputs[0]];
    if (!is_float(tensor.dtype()) || tensor.shape().rank() == 0 || !holds_one_number(tensor)) {
      if (is_float(tensor.dtype()) && tensor.shape().rank() > 0)
        note(concat("'", node.outputs[0], "' is tied to '", node.inputs[0], "'"));
      result = slot;
      if (!result.value) tie(node.inputs[0], result);
      return true;
    }
    note(concat("'", node.outputs[0], "' had been merged with '", node.inputs[0],
                "', which holds the same number throughout; it is a parameter of its own again"));
    own_.push_back({node.outputs[0], tensor.clone()});
    result.initializer = &own_.back();
    return true;
  }

  void tie(const std::string& name, Slot& result) { result.value = value(name); }

  static bool holds_one_number(const Tensor& tensor) {
    const int64_t width = byte_size(tensor.dtype(), 1), bytes = tensor.bytes();
    return bytes <= width || std::equal(tensor.data() + width, tensor.data() + bytes, tensor.data());
  }

  void report_problems() const {
    if (problems_.empty()) return;
    Error result =
        error(ErrorKind::unsupported, problems_.size(), problems_.size() == 1 ? " thing" : " things",
              " in this model cannot be read: ", join(problems_, "; "));
    throw result.at_node(first_problem_);
  }

  const ModelDef& file_;
  const std::string& path_;
  const ReadOptions& options_;
  std::string free_batch_;
  Graph graph_;
  Builder builder_;
  KnownValues known_;
  std::map<std::string, Tensor> parameters_;
  std::vector<Frame> frames_;
  std::vector<Opsets> opsets_;
  std::set<std::string> wanted_;
  std::deque<InitializerDef> own_;           // split from merged ones
  std::deque<std::vector<NodeDef>> bodies_;  // of functions, with their attributes bound
  std::vector<std::string> problems_;
  std::string first_problem_;
};

// A symbol for a batch of 1 baked into every input; empty if there is nothing to free.
std::string batch_symbol(const ModelDef& file, const ReadOptions& options) {
  if (options.free_batch == FreeBatch::keep || !options.shapes.empty() || !options.values.empty()) return {};
  std::set<std::string, std::less<>> taken, initializers;
  for (const InitializerDef& entry : file.graph.initializers) initializers.insert(entry.name);
  bool baked = false;
  for (const ValueDef& input : file.graph.inputs) {
    if (initializers.contains(input.name) || !input.shape || input.shape->rank() < 2) continue;
    if (!(*input.shape)[0].is_static()) return {};
    baked = baked || (*input.shape)[0] == Dim(1);
    for (const Dim& dim : *input.shape) taken.emplace(dim.symbol_name());
  }
  if (!baked) return {};
  std::string symbol = "N";
  while (taken.contains(symbol)) symbol += "_";
  return symbol;
}

bool has_free_batch(const Model& model) {
  for (const int i : data_inputs(model)) {
    const Shape& shape = model.graph.type(model.graph.inputs[static_cast<size_t>(i)].value).shape;
    if (shape.rank() > 0 && !shape[0].is_static()) return true;
  }
  return false;
}

Model read_parsed(const ModelDef& file, const std::string& path, const ReadOptions& options) {
  const std::string symbol = batch_symbol(file, options);
  std::string why = "no input has a batch of 1";
  if (!symbol.empty()) {
    std::vector<std::string> notes;
    ReadOptions freed = options;
    freed.notes = &notes;
    try {
      Model model = Reader(file, path, freed, symbol).read();
      why = mixes_samples(model.graph, symbol);
      if (why.empty()) {
        if (options.notes) options.notes->insert(options.notes->end(), notes.begin(), notes.end());
        return model;
      }
    } catch (const Error& problem) {
      if (problem.kind() == ErrorKind::internal || problem.kind() == ErrorKind::exhausted) throw;
      why = problem.what();
    }
  }
  Model model = Reader(file, path, options, "").read();
  if (options.free_batch == FreeBatch::required && !has_free_batch(model))
    throw Error(ErrorKind::unsupported,
                concat(path, ": the batch size is fixed in the file and cannot be freed: ", why))
        .in_file(path);
  if (!symbol.empty() && options.notes) options.notes->push_back(concat("the batch size stays 1: ", why));
  return model;
}

}  // namespace

static Model raised(Model model) {
  model.graph = raise_composites(model.graph);
  return model;
}

Model read_onnx(const std::string& path, const ReadOptions& options) {
  const ModelDef file = parse_file(path);
  if (options.other_files)
    options.other_files->insert(options.other_files->end(), file.other_files.begin(), file.other_files.end());
  return raised(read_parsed(file, path, options));
}

Model read_onnx(std::string_view bytes, const std::string& path, const ReadOptions& options) {
  return raised(read_parsed(parse_bytes(bytes, path), path, options));
}

}  // namespace temper::onnx
