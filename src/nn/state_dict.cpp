// load_parameters of nn/models.h.
#include <algorithm>

#include "base/text.h"
#include "nn/models.h"

namespace temper::nn {
namespace {

constexpr std::string_view kWrapper = "module.";  // what PyTorch's DataParallel puts before all names

struct Problems {
  std::vector<std::string> missing, unexpected, shapes;

  std::string text() const {
    std::vector<std::string> parts;
    if (!missing.empty()) parts.push_back(concat("missing: ", join(missing, ", ")));
    if (!unexpected.empty()) parts.push_back(concat("unexpected: ", join(unexpected, ", ")));
    if (!shapes.empty()) parts.push_back(concat("of another shape: ", join(shapes, ", ")));
    return join(parts, "; ");
  }
};

std::string plain_name(const std::string& name, bool wrapped) {
  return wrapped ? name.substr(kWrapper.size()) : name;
}

Tensor converted(const Tensor& from, DType dtype) {
  if (from.dtype() == dtype) return from;
  return from_doubles({dtype, from.shape()}, to_doubles(from));
}

}  // namespace

void load_parameters(Model& model, const std::map<std::string, Tensor>& state) {
  const bool wrapped = !state.empty() && std::ranges::all_of(state, [](const auto& entry) {
    return starts_with(entry.first, kWrapper);
  });
  std::map<std::string, Tensor> loaded;
  Problems problems;
  for (const auto& [full_name, tensor] : state) {
    const std::string name = plain_name(full_name, wrapped);
    if (ends_with(name, "num_batches_tracked") || ends_with(name, ".position_ids")) continue;
    const auto known = model.parameters.find(name);
    if (known == model.parameters.end()) {
      problems.unexpected.push_back(name);
      continue;
    }
    const Type& wanted = known->second.type();
    if (tensor.shape() != wanted.shape || is_float(tensor.dtype()) != is_float(wanted.dtype)) {
      problems.shapes.push_back(
          concat(name, " (expected ", to_string(wanted), ", found ", to_string(tensor.type()), ")"));
    } else {
      loaded[name] = converted(tensor, wanted.dtype);
    }
  }
  for (const auto& [name, tensor] : model.parameters) {
    if (!state.contains(wrapped ? concat(kWrapper, name) : name)) problems.missing.push_back(name);
  }
  const std::string text = problems.text();
  if (!text.empty())
    throw Error(ErrorKind::invalid,
                concat("weights do not fit ", model.name, ": ", text, "; use the file of this architecture"));
  for (auto& [name, tensor] : loaded) model.parameters[name] = std::move(tensor);
}

}  // namespace temper::nn
