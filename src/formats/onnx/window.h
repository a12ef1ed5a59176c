#pragma once
// Windows that slide over the spatial axes: kernel, strides, padding as ONNX gives them.
#include "formats/onnx/call.h"

namespace temper::onnx {

struct Window {
  Ints kernel, strides, dilations, low, high;  // one entry per spatial axis
  Ints extra;                                  // of high: added by ceil_mode, beyond the file's padding
};

// Reads strides, dilations, pads, auto_pad (and ceil_mode if `rounds`) for an input [n, c, spatial...].
Window read_window(Call& c, const Shape& x, Ints kernel, bool rounds);

}  // namespace temper::onnx
