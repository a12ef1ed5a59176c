#pragma once
// The trained parameters back in the model, as it goes into a file.
#include <map>
#include <string>

#include "model/model.h"
#include "nn/losses.h"

namespace temper {

// `parameters`: new values by name. Unless `logits`, the first output becomes probabilities where the loss
// says how; it keeps its name.
Model trained_model(Model model, const std::map<std::string, Tensor>& parameters, const nn::Loss& loss,
                    bool logits);

}  // namespace temper
