#include "train/trainable.h"

#include <algorithm>
#include <regex>

#include "base/text.h"
#include "ir/op.h"

namespace temper {
namespace {

bool is_any(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::ranges::find(names, name) != names.end();
}

// Ops that carry a parameter to its reader without giving it another meaning.
bool carries(std::string_view op) {
  return is_any(op, {"reshape", "broadcast_in_dim", "transpose", "convert", "slice", "barrier", "concat"});
}

// What reading a parameter as input `position` of `node` makes of it.
ParameterRole role_as_read(const Node& node, size_t position, bool vector) {
  const std::string_view op = node.op->name;
  if (op.starts_with("batch_norm")) {
    if (position == 0) return ParameterRole::weight;
    return position >= 3 && op == "batch_norm_infer" ? ParameterRole::statistic : ParameterRole::norm;
  }
  if (is_any(op, {"layer_norm", "rms_norm"}))
    return position == 0 ? ParameterRole::weight : ParameterRole::norm;
  if (op == "conv2d" && position == 2) return ParameterRole::bias;
  if (vector && is_any(op, {"add", "sub"})) return ParameterRole::bias;
  if (vector && is_any(op, {"mul", "div"})) return ParameterRole::norm;
  return ParameterRole::weight;
}

bool is_vector(const Type& type) {
  int wide = 0;
  for (const Dim& dim : type.shape) wide += !(dim.is_static() && dim.size() == 1);
  return wide <= 1;
}

struct Reading {
  int node;
  size_t position;
};

// Where a parameter is used for good: readers behind whatever only carries it.
std::vector<Reading> readings(const Graph& graph, const std::vector<std::vector<int>>& readers, Value value) {
  std::vector<Reading> found;
  for (int reader : readers[static_cast<size_t>(value.node)]) {
    const Node& node = graph.nodes()[static_cast<size_t>(reader)];
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] != value) continue;
      if (!carries(node.op->name)) {
        found.push_back({reader, i});
      } else {
        std::ranges::copy(readings(graph, readers, Value{reader, 0}), std::back_inserter(found));
      }
    }
  }
  return found;
}

std::regex expression(std::string_view option, std::string_view text) {
  try {
    return std::regex(text.begin(), text.end(), std::regex::ECMAScript);
  } catch (const std::regex_error&) {
    throw Error(ErrorKind::invalid, concat(option, ": \"", text, "\" is not a regular expression"));
  }
}

std::set<std::string> last_layers(const Model& model, std::string_view count_text) {
  int64_t count = 0;
  if (!parse_number(count_text, count) || count < 1) {
    throw Error(ErrorKind::invalid,
                concat("trainable: expected last:N with N of at least 1, found \"last:", count_text, "\""));
  }
  const auto layers = parameter_layers(model);
  if (count > static_cast<int64_t>(layers.size())) {
    throw Error(ErrorKind::invalid,
                concat("trainable: last:", count, ", but the model has ", layers.size(), " layers"));
  }
  std::set<std::string> names;
  for (size_t i = layers.size() - static_cast<size_t>(count); i < layers.size(); ++i) {
    names.insert(layers[i].begin(), layers[i].end());
  }
  return names;
}

std::set<std::string> chosen(const Model& model, std::string_view trainable,
                             const std::vector<std::string>& head) {
  if (trainable.starts_with("last:")) return last_layers(model, trainable.substr(5));
  if (trainable == "head") {
    if (!head.empty()) return {head.begin(), head.end()};
    return last_layers(model, "1");
  }
  const bool by_role = is_any(trainable, {"bias", "norm"}), all = trainable == "all";
  const std::regex pattern = by_role || all ? std::regex() : expression("trainable", trainable);
  std::set<std::string> names;
  for (const auto& [name, role] : parameter_roles(model)) {
    const bool fits = by_role ? role == (trainable == "bias" ? ParameterRole::bias : ParameterRole::norm)
                              : all || std::regex_search(name, pattern);
    if (fits) names.insert(name);
  }
  return names;
}

}  // namespace

std::map<std::string, ParameterRole> parameter_roles(const Model& model) {
  const auto readers = users(model.graph);
  const std::vector<std::string> statistics = running_statistics(model);
  std::map<std::string, ParameterRole> roles;
  for (const Port& port : model.graph.inputs) {
    if (!model.parameters.contains(port.name)) continue;
    const bool vector = is_vector(model.graph.type(port.value));
    ParameterRole role = ParameterRole::statistic;  // unless something reads it as more
    const auto reads = readings(model.graph, readers, port.value);
    for (const Reading& read : reads) {
      const Node& node = model.graph.nodes()[static_cast<size_t>(read.node)];
      role = std::min(role, role_as_read(node, read.position, vector));
    }
    if (reads.empty()) role = ParameterRole::weight;
    if (std::ranges::find(statistics, port.name) != statistics.end()) role = ParameterRole::statistic;
    roles[port.name] = role;
  }
  return roles;
}

std::vector<std::vector<std::string>> parameter_layers(const Model& model) {
  const auto readers = users(model.graph);
  const auto roles = parameter_roles(model);
  std::map<int, std::vector<std::string>> by_node;  // first reader -> parameters
  for (const Port& port : model.graph.inputs) {
    const auto role = roles.find(port.name);
    if (role == roles.end() || role->second == ParameterRole::statistic) continue;
    int first = model.graph.size();
    for (const Reading& read : readings(model.graph, readers, port.value)) first = std::min(first, read.node);
    by_node[first].push_back(port.name);
  }
  std::vector<std::vector<std::string>> layers;
  for (auto& [node, names] : by_node) {
    // A bias that an `add` of its own brings belongs to the product before it.
    const bool lone_bias =
        std::ranges::all_of(names, [&](const auto& name) { return roles.at(name) == ParameterRole::bias; });
    if (lone_bias && !layers.empty()) {
      std::ranges::move(names, std::back_inserter(layers.back()));
    } else {
      layers.push_back(std::move(names));
    }
  }
  return layers;
}

std::set<std::string> trainable_parameters(const Model& model, std::string_view trainable,
                                           std::string_view freeze, const std::vector<std::string>& head) {
  if (trainable.starts_with("lora:")) {
    throw Error(ErrorKind::unsupported,
                "trainable: lora is not there yet; use head, all, last:N, bias, norm or an expression");
  }
  std::set<std::string> names = chosen(model, trainable, head);
  const auto roles = parameter_roles(model);
  const bool some = !names.empty();
  const std::regex frozen = expression("freeze", freeze);
  std::erase_if(names, [&](const std::string& name) {
    const bool floats = is_float(model.parameters.at(name).dtype());
    return roles.at(name) == ParameterRole::statistic || !floats ||
           (!freeze.empty() && std::regex_search(name, frozen));
  });
  if (!names.empty()) return names;
  if (some && !freeze.empty()) {
    throw Error(ErrorKind::invalid,
                concat("freeze: \"", freeze, "\" leaves nothing of --trainable ", trainable, " to train"));
  }
  std::string example = model.parameters.empty() ? "" : concat(", such as ", model.parameters.begin()->first);
  throw Error(ErrorKind::invalid, concat("trainable: \"", trainable,
                                         "\" matches no parameter; it takes head, all, last:N, bias, "
                                         "norm or an expression for names",
                                         example, " (temper inspect lists them)"));
}

bool has_norms(const Model& model) {
  return std::ranges::any_of(model.graph.nodes(), [](const Node& node) {
    return node.op->name.starts_with("batch_norm") || is_any(node.op->name, {"layer_norm", "rms_norm"});
  });
}

}  // namespace temper
