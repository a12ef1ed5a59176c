#include "devices/cpu/layout.h"

#include <algorithm>

#include "base/check.h"
#include "devices/cpu/winograd.h"

namespace temper::cpu {

namespace {

// Bits of an id: 6 x 3 order (as distance from the identity), 2 block count, 3 x (3 axis, 7 size), 13 groups
// - 1. The bit above them is kTransformed.
constexpr int kAxisBits = 3, kSizeBits = 7, kBlockBits = kAxisBits + kSizeBits;
constexpr int kCountAt = Layout::kMaxRank * kAxisBits, kBlocksAt = kCountAt + 2;
constexpr int kGroupsAt = kBlocksAt + Layout::kMaxBlocks * kBlockBits, kGroupBits = 62 - kGroupsAt;

int64_t field(int64_t id, int at, int bits) { return (id >> at) & ((int64_t{1} << bits) - 1); }

}  // namespace

Layout decode(int64_t id, int rank) {
  TEMPER_CHECK(id != kTransformed, "transformed weights have no order of axes");
  Layout layout;
  layout.groups = static_cast<int>(field(id, kGroupsAt, kGroupBits)) + 1;
  layout.rank = rank + (layout.groups > 1 ? 1 : 0);
  TEMPER_CHECK(layout.rank <= Layout::kMaxRank, "layout of rank ", rank);
  for (int i = 0; i < layout.rank; ++i)
    layout.order[static_cast<size_t>(i)] = static_cast<int>((i + field(id, i * kAxisBits, kAxisBits)) % 8);
  layout.block_count = static_cast<int>(field(id, kCountAt, 2));
  for (int i = 0; i < layout.block_count; ++i) {
    const int at = kBlocksAt + i * kBlockBits;
    layout.blocks[static_cast<size_t>(i)] = {static_cast<int>(field(id, at, kAxisBits)),
                                             static_cast<int>(field(id, at + kAxisBits, kSizeBits))};
  }
  return layout;
}

std::optional<int64_t> encode(const Layout& layout) {
  if (layout.rank > Layout::kMaxRank || layout.block_count > Layout::kMaxBlocks) return std::nullopt;
  if (layout.groups > (1 << kGroupBits)) return std::nullopt;
  int64_t id = int64_t{layout.groups - 1} << kGroupsAt | int64_t{layout.block_count} << kCountAt;
  for (int i = 0; i < layout.rank; ++i)
    id |= int64_t{(layout.order[static_cast<size_t>(i)] - i + 8) % 8} << (i * kAxisBits);
  for (int i = 0; i < layout.block_count; ++i) {
    const auto& [axis, size] = layout.blocks[static_cast<size_t>(i)];
    if (size >= 1 << kSizeBits) return std::nullopt;
    id |= (int64_t{size} << kAxisBits | axis) << (kBlocksAt + i * kBlockBits);
  }
  return id;
}

int64_t channels_last(int rank) {
  if (rank < 3 || rank > Layout::kMaxRank) return kRowMajor;
  Layout layout{.rank = rank};
  for (int i = 1; i + 1 < rank; ++i) layout.order[static_cast<size_t>(i)] = i + 1;
  layout.order[static_cast<size_t>(rank - 1)] = 1;
  return *encode(layout);
}

int64_t stored_bytes(const Type& type, int64_t id) {
  if (is_permutation(id)) return byte_size(type);
  if (id == kTransformed) return transformed_bytes(type.shape);
  const Layout layout = decode(id, type.shape.rank());
  Ints sizes = type.shape.sizes();
  if (layout.groups > 1) {
    sizes[0] /= layout.groups;
    sizes.insert(sizes.begin(), layout.groups);
  }
  Ints blocks(sizes.size(), 1);
  for (int i = 0; i < layout.block_count; ++i) {
    const auto& [axis, size] = layout.blocks[static_cast<size_t>(i)];
    blocks[static_cast<size_t>(axis)] *= size;
  }
  int64_t elements = 1;
  for (size_t i = 0; i < sizes.size(); ++i) elements *= (sizes[i] + blocks[i] - 1) / blocks[i] * blocks[i];
  return elements * bit_width(type.dtype) / 8;
}

bool is_permutation(int64_t id) { return id >> kCountAt == 0; }

Ints strides(const Shape& shape, int64_t id) {
  TEMPER_CHECK(is_permutation(id), "strides of a blocked layout");
  const int rank = shape.rank();
  Ints result(static_cast<size_t>(rank));
  const Layout layout = id == kRowMajor ? Layout{} : decode(id, rank);
  int64_t step = 1;
  for (int i = rank - 1; i >= 0; --i) {
    const int axis = id == kRowMajor ? i : layout.order[static_cast<size_t>(i)];
    result[static_cast<size_t>(axis)] = step;
    step *= std::max<int64_t>(1, shape.size(axis));
  }
  return result;
}

bool same_memory(const Shape& shape, int64_t a, int64_t b) {
  if (a == b) return true;
  if (!is_permutation(a) || !is_permutation(b)) return false;
  const Ints from = strides(shape, a), to = strides(shape, b);
  for (int axis = 0; axis < shape.rank(); ++axis)
    if (shape.size(axis) > 1 && from[static_cast<size_t>(axis)] != to[static_cast<size_t>(axis)])
      return false;
  return true;
}

int64_t before_transpose(int64_t id, const Ints& permutation) {
  const int rank = static_cast<int>(permutation.size());
  const Layout after = decode(id, rank);
  Layout before{.rank = rank};
  for (int i = 0; i < rank; ++i)
    before.order[static_cast<size_t>(i)] =
        static_cast<int>(permutation[static_cast<size_t>(after.order[static_cast<size_t>(i)])]);
  return *encode(before);
}

int64_t after_transpose(int64_t id, const Ints& permutation) {
  Ints inverse(permutation.size());
  for (size_t i = 0; i < permutation.size(); ++i)
    inverse[static_cast<size_t>(permutation[i])] = static_cast<int64_t>(i);
  return before_transpose(id, inverse);
}

std::string describe(int64_t id, int rank) {
  if (id == kTransformed) return "winograd";
  const Layout layout = decode(id, rank);
  std::string text;
  for (int i = 0; i < layout.rank; ++i) text += static_cast<char>('a' + layout.order[static_cast<size_t>(i)]);
  for (int i = 0; i < layout.block_count; ++i) {
    const auto& [axis, size] = layout.blocks[static_cast<size_t>(i)];
    for (int j = 0; j < layout.rank; ++j)
      if (text[static_cast<size_t>(j)] == 'a' + axis)
        text[static_cast<size_t>(j)] = static_cast<char>('A' + axis);
    text += std::to_string(size) + static_cast<char>('a' + axis);
  }
  return text;
}

}  // namespace temper::cpu
