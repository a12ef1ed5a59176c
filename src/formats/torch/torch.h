#pragma once
// PyTorch state dicts, as torch.save writes them: archives (since 1.6) and the older sequence of pickles.
// Nothing in the file is run.
#include "formats/format.h"

namespace temper::torch {

// Parameters alone, by their names in the state dict; a leading "module." common to all is dropped. Of a
// checkpoint the entry state_dict, model_state_dict or model counts.
Model read_torch(const std::string& path, const ReadOptions& options);

}  // namespace temper::torch
