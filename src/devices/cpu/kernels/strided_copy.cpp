#include "devices/cpu/kernels/strided_copy.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/check.h"
#include "devices/cpu/kernels/parallel.h"
#include "devices/cpu/kernels/transpose.h"

namespace temper::cpu {

namespace {
constexpr int64_t kTile = 32;  // a tile of 8-byte elements and its image fit the first-level cache
}

StridedCopy::StridedCopy(std::vector<int64_t> sizes, std::vector<int64_t> from_strides,
                         std::vector<int64_t> to_strides, int64_t element)
    : element_(element), elements_(1) {
  for (size_t i = 0; i < sizes.size(); ++i) {
    elements_ *= sizes[i];
    if (sizes[i] != 1) axes_.push_back({sizes[i], from_strides[i], to_strides[i]});
  }
  std::stable_sort(axes_.begin(), axes_.end(),
                   [](const Axis& a, const Axis& b) { return std::abs(a.to) > std::abs(b.to); });
  for (size_t i = axes_.size(); i-- > 1;) {
    Axis &outer = axes_[i - 1], &inner = axes_[i];
    if (outer.from != inner.from * inner.size || outer.to != inner.to * inner.size) continue;
    inner.size *= outer.size;
    axes_.erase(axes_.begin() + static_cast<std::ptrdiff_t>(i) - 1);
  }
  if (axes_.empty()) axes_.push_back({1, 1, 1});
  if (axes_.back().from != 1 && axes_.back().from != 0)
    for (size_t i = 0; i + 1 < axes_.size(); ++i)
      if (axes_[i].from == 1) across_ = static_cast<int>(i);
}

// Rows, or tiles of the inner axis by the one across it.
int64_t StridedCopy::rows() const {
  const auto tiles = [](int64_t size) { return (size + kTile - 1) / kTile; };
  int64_t count = across_ < 0 ? 1 : tiles(axes_.back().size);
  for (int i = 0; i + 1 < static_cast<int>(axes_.size()); ++i)
    count *= i == across_ ? tiles(axes_[static_cast<size_t>(i)].size) : axes_[static_cast<size_t>(i)].size;
  return count;
}

template <class T>
void StridedCopy::copy_tile(const T* from, T* to, int64_t tile) const {
  const Axis& inner = axes_.back();
  const Axis& across = axes_[static_cast<size_t>(across_)];
  const int64_t tiles = (inner.size + kTile - 1) / kTile;
  const int64_t begin = tile % tiles * kTile, end = std::min(begin + kTile, inner.size);
  tile /= tiles;
  int64_t across_begin = 0;
  for (int i = static_cast<int>(axes_.size()) - 2; i >= 0; --i) {
    const Axis& axis = axes_[static_cast<size_t>(i)];
    const int64_t count = i == across_ ? (axis.size + kTile - 1) / kTile : axis.size;
    const int64_t at = tile % count;
    tile /= count;
    if (i == across_) {
      across_begin = at * kTile;
    } else {
      from += at * axis.from;
      to += at * axis.to;
    }
  }
  const int64_t across_end = std::min(across_begin + kTile, across.size);
  from += begin * inner.from + across_begin;
  to += begin * inner.to + across_begin * across.to;
  if (inner.to == 1)
    return transpose_tile(from, inner.from, to, across.to, across_end - across_begin, end - begin);
  for (int64_t a = 0; a < across_end - across_begin; ++a)
    for (int64_t i = 0; i < end - begin; ++i) to[a * across.to + i * inner.to] = from[a + i * inner.from];
}

template <class T>
void StridedCopy::run_as(const T* from, T* to) const {
  const Axis inner = axes_.back();
  parallel_ranges(rows(), elements_, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      if (across_ >= 0) {
        copy_tile(from, to, row);
        continue;
      }
      const T* x = from;
      T* y = to;
      int64_t rest = row;
      for (size_t i = axes_.size() - 1; i-- > 0; rest /= axes_[i].size) {
        x += rest % axes_[i].size * axes_[i].from;
        y += rest % axes_[i].size * axes_[i].to;
      }
      if (inner.from == 1 && inner.to == 1)
        std::copy_n(x, inner.size, y);
      else if (inner.from == 0 && inner.to == 1)
        std::fill_n(y, inner.size, *x);
      else
        for (int64_t i = 0; i < inner.size; ++i) y[i * inner.to] = x[i * inner.from];
    }
  });
}

void StridedCopy::run(const void* from, void* to) const {
  if (elements_ == 0) return;
  if (axes_.size() == 1 && axes_[0].from == 1 && axes_[0].to == 1) {  // one run of bytes, shared by pieces
    constexpr int64_t kPiece = 1 << 16;
    const int64_t bytes = elements_ * element_;
    return parallel_tasks((bytes + kPiece - 1) / kPiece, bytes / 4, [&](int64_t piece) {
      std::memmove(static_cast<char*>(to) + piece * kPiece, static_cast<const char*>(from) + piece * kPiece,
                   static_cast<size_t>(std::min(kPiece, bytes - piece * kPiece)));
    });
  }
  switch (element_) {
    case 1:
      return run_as(static_cast<const uint8_t*>(from), static_cast<uint8_t*>(to));
    case 2:
      return run_as(static_cast<const uint16_t*>(from), static_cast<uint16_t*>(to));
    case 4:
      return run_as(static_cast<const uint32_t*>(from), static_cast<uint32_t*>(to));
    case 8:
      return run_as(static_cast<const uint64_t*>(from), static_cast<uint64_t*>(to));
    default:
      TEMPER_CHECK(false, "elements of ", element_, " bytes");
  }
}

std::vector<int64_t> dense_strides(const std::vector<int64_t>& sizes) {
  std::vector<int64_t> strides(sizes.size());
  int64_t step = 1;
  for (size_t i = sizes.size(); i-- > 0; step *= sizes[i]) strides[i] = step;
  return strides;
}

}  // namespace temper::cpu
