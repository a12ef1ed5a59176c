#pragma once
// A legal graph as a flat list of launches over one arena, and the kernels that they run.
#include <map>
#include <memory>

#include "codegen/kernel_writer.h"
#include "launches/work.h"
#include "runtime/device.h"

namespace temper::launches {

// The kernels of a program, regions included; equal ones once.
class KernelTable {
 public:
  int add(const KernelText& kernel);                 // its number
  std::string name(int number) const;                // "k3_map"
  std::string source(const Dialect& dialect) const;  // the whole program's
  size_t size() const { return kinds_.size(); }

 private:
  std::map<std::pair<std::string, int>, int> numbers_;  // by text and lanes
  std::vector<std::string> kinds_, texts_;
  std::vector<int> lanes_;
};

struct Buffer {
  enum Where { arena, argument, result, constant } where = arena;
  int index = 0;  // of the argument, result or constant
  int64_t bytes = 0, offset = 0;
  int first = -1, last = -1;  // launches that touch it
};

struct Control;

// A kernel; or a library's call; or a node with regions; or, without any, a copy of the first buffer to the
// second.
struct Launch {
  int kernel = -1;
  int64_t groups = 1;
  int lanes = 1;
  std::vector<int64_t> numbers = {};
  std::vector<int> buffers = {};  // positions in Plan::buffers: what is read, what is written, scratch
  int reads = 0;
  std::vector<std::pair<int, int>> in_place = {};  // (read, written): may be one memory
  std::shared_ptr<const LibraryCall> call = {};
  std::shared_ptr<const Control> control = {};
  LaunchProfile about = {};
};

struct Plan {
  std::vector<Buffer> buffers;
  std::vector<Launch> launches;
  std::vector<Tensor> constants;
  int64_t arena_bytes = 0, arena_floor = 0;
};

// A node with regions over its operands: the inputs, the results, one scratch buffer.
struct Control {
  enum Kind { call, cond, scan, while_loop } kind;
  std::vector<Plan> bodies;
  std::vector<int64_t> input_bytes, output_bytes;
  size_t carries = 0, sliced = 0;
  int64_t length = 0;
  bool reverse = false;
  std::vector<int64_t> second;  // where in the scratch a carry's other memory lies
  int64_t verdict = 0, body_arena = 0, scratch_bytes = 0;
};

Plan make_plan(const Vendor& vendor, const TargetFacts& facts, const Graph& graph, KernelTable& kernels);

// Addresses in the arena; where a donated argument would be overwritten too early, a copy.
void place(Plan& plan, std::span<const Donation> donations);

// Whether a value that is computed decides what runs next: the host waits for it.
bool is_decided_late(const Plan& plan);

// In order; those of a body stand for its node.
std::vector<LaunchProfile> launches_of(const Plan& plan);

}  // namespace temper::launches
