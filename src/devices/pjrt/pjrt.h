#pragma once
// XLA through a PJRT plug-in: `pjrt:NAME` or `pjrt:PATH`, with `:N` for one of its devices, `:all` for a
// replica on each; `tpu` is `pjrt:tpu:all`.
#include "runtime/registry.h"

namespace temper::pjrt {

const Target& pjrt_target();
DeviceKind pjrt_device();
DeviceKind tpu_device();

}  // namespace temper::pjrt
