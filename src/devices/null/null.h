#pragma once
// The smallest device, and the file to copy: takes every graph and answers with zeros.
#include "runtime/registry.h"

namespace temper::null {

const Target& null_target();
DeviceKind null_device();

}  // namespace temper::null
