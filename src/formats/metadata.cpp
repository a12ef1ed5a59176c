// What a Model knows beside its graph, as the string pairs that files keep.
#include "base/text.h"
#include "formats/format.h"
#include "temper/error.h"

namespace temper {

void take_metadata(Model& model, std::map<std::string, std::string> metadata) {
  if (const auto labels = metadata.find(std::string(kLabelsKey)); labels != metadata.end()) {
    for (const std::string_view label : split(labels->second, '\n')) model.labels.emplace_back(label);
    metadata.erase(labels);
  }
  if (const auto steps = metadata.find(std::string(kPreprocessKey)); steps != metadata.end()) {
    model.preprocess = parse_preprocess(steps->second, 0, 0);
    metadata.erase(steps);
  }
  model.metadata = std::move(metadata);
}

std::map<std::string, std::string> metadata_of(const Model& model) {
  std::map<std::string, std::string> metadata = model.metadata;
  for (size_t i = 0; i < model.labels.size(); ++i)
    if (model.labels[i].find('\n') != std::string::npos)
      throw Error(ErrorKind::invalid, concat("label ", i, " holds a line break"));
  if (!model.labels.empty()) metadata[std::string(kLabelsKey)] = join(model.labels, "\n");
  if (model.preprocess) metadata[std::string(kPreprocessKey)] = to_string(*model.preprocess);
  return metadata;
}

}  // namespace temper
