#pragma once
// A TPU that is not here: its compiler alone, which says what a program would need.
#include "devices/pjrt/plugin.h"
#include "runtime/device.h"

namespace temper::pjrt {

// `topology`: "v5e:2x2", the generation and how its chips are laid out. `replicas`: one on each chip, else
// one alone. What is loaded cannot run, and there are no tensors: Error unsupported. Error device for a
// topology that the plug-in does not know.
std::unique_ptr<Device> open_topology(std::string name, const Plugin& plugin, const std::string& topology,
                                      bool replicas);

// For a process of its own: the numbers that loading a program gives, as text.
std::string compile_for_topology(const Plugin& plugin, const std::string& topology, std::string_view code,
                                 int replicas);

// Memory of a chip; 0 if the generation is not known.
int64_t memory_of_chip(std::string_view topology);

// What libtpu asks of its surroundings where there is none of the cloud's: to be called before it is opened.
void prepare_for_topologies();

}  // namespace temper::pjrt
