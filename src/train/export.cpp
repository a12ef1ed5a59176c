#include "train/export.h"

#include "ops/composites.h"
#include "ops/primitives.h"
#include "train/step.h"

namespace temper {

Model trained_model(Model model, const std::map<std::string, Tensor>& parameters, const nn::Loss& loss,
                    bool logits) {
  for (const auto& [name, tensor] : parameters) model.parameters.at(name) = tensor;
  const bool classes = nn::takes_classes(loss), binary = loss.kind == "bce";
  if (!classes && !binary) return model;
  Builder b(model.graph);
  const Value whole = model.graph.outputs.front().value;
  const Output last = loss_output(b, whole, loss);
  if (last.form != nn::OutputForm::logits) return model;
  const bool raw = last.value == whole;  // the model itself ends in logits
  if (logits) model.graph.outputs.front().value = last.value;
  if (!logits && raw)
    model.graph.outputs.front().value = classes ? ops::softmax(b, whole, 1) : ops::sigmoid(b, whole);
  return model;
}

}  // namespace temper
