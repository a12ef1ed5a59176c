#include "formats/format.h"

#include <array>
#include <filesystem>

#include "base/text.h"
#include "formats/native.h"
#include "formats/onnx/onnx.h"
#include "formats/safetensors.h"
#include "formats/torch/torch.h"
#include "temper/error.h"

namespace temper {

std::span<const Format> formats() {
  static const std::array kFormats{
      Format{"ONNX", {".onnx"}, true, onnx::read_onnx, onnx::write_onnx},
      Format{"temper", {".temper"}, true, read_native, write_native},
      Format{"safetensors", {".safetensors"}, false, read_safetensors, write_safetensors},
      Format{"PyTorch", {".pt", ".pth", ".th", ".bin"}, false, torch::read_torch, nullptr},
  };
  return kFormats;
}

const Format& format_of(const std::string& path) {
  std::string_view name = path;
  while (ends_with(name, "/")) name.remove_suffix(1);
  std::vector<std::string_view> endings;
  for (const Format& format : formats()) {
    for (const std::string_view ending : format.endings) {
      if (ends_with(name, ending)) return format;
      endings.push_back(ending);
    }
  }
  if (is_native(path)) return format_of(".temper");
  throw Error(ErrorKind::unsupported,
              concat(path, ": no model format has this file name ending; there are ", join(endings, ", ")))
      .in_file(path);
}

Model read_model(const std::string& path, const ReadOptions& options) {
  return format_of(path).read(path, options);
}

void write_model(const Model& model, const std::string& path, const WriteOptions& options) {
  const Format& format = format_of(path);
  if (!format.write)
    throw Error(ErrorKind::unsupported,
                concat(path, ": temper reads ", format.name, " files but writes none"))
        .in_file(path);
  format.write(model, path, options);
}

std::map<std::string, Tensor> read_parameters(const std::string& path) { return read_model(path).parameters; }

}  // namespace temper
