#pragma once
// How the elements of a Value lie in memory: an order of axes and inner blocks, dense but for the zeros that
// fill the last block of an axis. The id of a layout says all of it, so ids mean the same in every process.
#include <array>
#include <optional>
#include <string>

#include "ir/graph.h"

namespace temper::cpu {

struct Layout {
  static constexpr int kMaxRank = 6, kMaxBlocks = 3;
  struct Block {
    int axis = 0, size = 1;
    friend bool operator==(const Block&, const Block&) = default;
  };

  int rank = 0;                       // axes, the split one counted twice
  std::array<int, kMaxRank> order{};  // axes from slowest to fastest
  int block_count = 0;
  std::array<Block, kMaxBlocks> blocks{};  // inside, slowest first: 16i16o is {1, 16}, {0, 16}
  int groups = 1;                          // over 1: axis 0 is seen as two axes, [groups, rest]

  friend bool operator==(const Layout&, const Layout&) = default;
};

inline constexpr int64_t kRowMajor = 0;
// Not an order of elements but other numbers: weights of 3 x 3 windows as Winograd's products take them. No
// way leads back, and only make_reorder, stored_bytes and the kernel know what it holds.
inline constexpr int64_t kTransformed = int64_t{1} << 62;

Layout decode(int64_t id, int rank);                  // rank of the Value
std::optional<int64_t> encode(const Layout& layout);  // kRowMajor for row-major; none if it does not fit

int64_t channels_last(int rank);  // [n, c, spatial...] stored as [n, spatial..., c]; kRowMajor below rank 3
int64_t stored_bytes(const Type& type, int64_t id);  // filled blocks included

bool is_permutation(int64_t id);  // no blocks, no groups: strides() says all

// Element strides in logical order. Only for permutations.
Ints strides(const Shape& shape, int64_t id);

// True if the bytes are the same in both: axes of size 1 may stand anywhere.
bool same_memory(const Shape& shape, int64_t a, int64_t b);

// A transpose is a view: its result in layout `id` is its operand in before_transpose(id), and the inverse.
int64_t before_transpose(int64_t id, const Ints& permutation);
int64_t after_transpose(int64_t id, const Ints& permutation);

std::string describe(int64_t id, int rank);  // "abcd", "acdb", "ABcd16b16a": oneDNN's names

}  // namespace temper::cpu
