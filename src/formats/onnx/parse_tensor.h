#pragma once
// TensorProto to Tensor. Only for the .cpp files that include protobuf.
#include <map>
#include <memory>
#include <string>

#include "base/file.h"
#include "formats/onnx/file.h"
#include "formats/onnx/protobuf.h"

namespace temper::onnx {

// The folder that external data may come from, and the files of it that are mapped so far.
struct ExternalData {
  std::string folder;
  std::map<std::string, std::shared_ptr<MappedFile>> files = {};
};

// Bytes of a tensor that its message does not hold, and who keeps them.
struct LeftOut {
  std::string_view bytes;
  std::shared_ptr<void> owner;
};

// Takes large bytes out of `proto` instead of copying them. An element type that temper lacks is a problem of
// the result; anything inconsistent throws corrupt with `what`.
InitializerDef parse_tensor(::onnx::TensorProto& proto, const std::string& what, ExternalData& external,
                            const LeftOut& left_out = {});
InitializerDef parse_sparse(::onnx::SparseTensorProto& proto, const std::string& what,
                            ExternalData& external);

}  // namespace temper::onnx
