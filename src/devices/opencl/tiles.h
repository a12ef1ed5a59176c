#pragma once
// Sizes of tiles that suit one device, found by measuring it once. All of them add in the same order: the
// bits of a result do not depend on them.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "devices/opencl/products.h"
#include "runtime/device.h"

namespace temper::opencl {

// What the fact `tiles` of a device says; without it, what suits most.
struct Tiles {
  VectorTile vectors;  // of processors
  GroupTile groups;    // of all others
};
Tiles tiles_of(const TargetFacts& facts, bool convolution);

// The fact, "products 64x64x8, convolutions 32x64x8" on a processor; elsewhere SIDExEACHxINNER.
inline constexpr const char* kTilesFact = "tiles";

// Whether a product of the graph is so large that measuring is worth its seconds.
bool is_worth_tuning(const Graph& graph);

// What was found for this device and driver before; none if nothing was, or nothing is kept (TEMPER_CACHE).
std::optional<std::string> remembered_tiles(const TargetFacts& facts);
void remember_tiles(const TargetFacts& facts, const std::string& tiles);

// What is tried, each for both; the first is what is taken without measuring.
std::vector<std::string> tile_candidates(const TargetFacts& facts);

// Runs a product and a convolution in each of a few sizes, for four seconds at most, and remembers the best.
// `set` makes a value the device's fact. What cannot be built or run is passed over. None where nothing can
// be kept: another process would then take other sizes.
std::optional<std::string> tune_tiles(Device& device, const std::function<void(const std::string&)>& set);

}  // namespace temper::opencl
