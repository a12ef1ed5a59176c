#pragma once
#include "devices/pjrt/client.h"
#include "runtime/device.h"

namespace temper::pjrt {

// Compiles the program's text, or takes it compiled from the cache. Memory is filled in as XLA plans it.
std::unique_ptr<Executable> make_executable(Device& device, std::shared_ptr<Client> client,
                                            const Program& program);

}  // namespace temper::pjrt
