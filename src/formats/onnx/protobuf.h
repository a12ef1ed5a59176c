#pragma once
// ONNX's protobuf messages: slow to compile, so included by as few files as can be.
#pragma GCC system_header
#include <onnx/onnx_pb.h>
