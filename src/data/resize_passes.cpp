#include "data/resize_passes.h"

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace temper {
namespace {

constexpr int32_t kHalf = 1 << (kResizePrecision - 1);

uint8_t to_byte(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kResizePrecision, 0, 255)); }

// Four rows at once: the same pixels of each, so the same weights. A pixel is read and written as four bytes,
// so the rows must go on for one.
constexpr size_t kRows = 4;
using RowsIn = std::array<const uint8_t*, kRows>;
using RowsOut = std::array<uint8_t*, kRows>;

void scale_four(const RowsIn& from, const RowsOut& to, int width, const Taps& taps) {
  for (size_t row = 0; row < kRows; ++row) {
    uint8_t* out = to[row];
    for (size_t x = 0; x < static_cast<size_t>(width); ++x) {
      const uint8_t* pixel = from[row] + static_cast<size_t>(taps.first[x]) * 3;
      const int32_t* weights = &taps.weights[x * static_cast<size_t>(taps.width)];
      std::array<int32_t, 3> sums = {kHalf, kHalf, kHalf};
      for (int k = 0; k < taps.count[x]; ++k, pixel += 3) {
        for (size_t c = 0; c < 3; ++c) sums[c] += pixel[c] * weights[k];
      }
      for (const int32_t sum : sums) *out++ = to_byte(sum);
    }
  }
}

// One output row, from byte x on: a weighted sum of `count` rows, `stride` bytes apart.
void sum_rows(const uint8_t* from, size_t stride, int count, const int32_t* weights, uint8_t* to,
              size_t length, size_t x = 0) {
  for (; x < length; ++x) {
    int32_t sum = kHalf;
    for (int k = 0; k < count; ++k) sum += from[static_cast<size_t>(k) * stride + x] * weights[k];
    to[x] = to_byte(sum);
  }
}

// The same with AVX2, whose products of 32-bit integers the baseline lacks.
#define TEMPER_AVX2 __attribute__((target("avx2")))

TEMPER_AVX2 inline __m256i weighted(__m256i sums, __m128i bytes, int32_t weight) {
  const __m256i product = _mm256_mullo_epi32(_mm256_cvtepu8_epi32(bytes), _mm256_set1_epi32(weight));
  return _mm256_add_epi32(sums, product);
}

// Whole numbers, clamped to 16 bits; the second packing clamps them to bytes.
TEMPER_AVX2 inline __m256i packed(__m256i a, __m256i b) {
  return _mm256_packs_epi32(_mm256_srai_epi32(a, kResizePrecision), _mm256_srai_epi32(b, kResizePrecision));
}

TEMPER_AVX2 inline __m128i two_pixels(const uint8_t* first, const uint8_t* second) {
  int low, high;
  std::memcpy(&low, first, sizeof low);
  std::memcpy(&high, second, sizeof high);
  return _mm_insert_epi32(_mm_cvtsi32_si128(low), high, 1);
}

TEMPER_AVX2 void scale_four_avx2(const RowsIn& from, const RowsOut& to, int width, const Taps& taps) {
  for (size_t x = 0; x < static_cast<size_t>(width); ++x) {
    const int32_t* weights = &taps.weights[x * static_cast<size_t>(taps.width)];
    size_t at = static_cast<size_t>(taps.first[x]) * 3;
    __m256i upper = _mm256_set1_epi32(kHalf), lower = upper;
    for (int k = 0; k < taps.count[x]; ++k, at += 3) {
      upper = weighted(upper, two_pixels(from[0] + at, from[1] + at), weights[k]);
      lower = weighted(lower, two_pixels(from[2] + at, from[3] + at), weights[k]);
    }
    // Halves of 128 bits stay apart: rows 0 and 2, then rows 1 and 3.
    const __m256i words = packed(upper, lower), bytes = _mm256_packus_epi16(words, words);
    const int64_t even = _mm256_extract_epi64(bytes, 0), odd = _mm256_extract_epi64(bytes, 2);
    const std::array<int64_t, kRows> pixels = {even, odd, even >> 32, odd >> 32};
    for (size_t row = 0; row < kRows; ++row) {
      const auto pixel = static_cast<uint32_t>(pixels[row]);
      std::memcpy(to[row] + x * 3, &pixel, sizeof pixel);
    }
  }
}

TEMPER_AVX2 void sum_rows_avx2(const uint8_t* from, size_t stride, int count, const int32_t* weights,
                               uint8_t* to, size_t length) {
  constexpr size_t kBytes = 32;
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);  // packing goes by halves of 128 bits
  size_t x = 0;
  for (; x + kBytes <= length; x += kBytes) {
    __m256i a = _mm256_set1_epi32(kHalf), b = a, c = a, d = a;
    const uint8_t* row = from + x;
    for (int k = 0; k < count; ++k, row += stride) {
      const auto eight = [row](int at) { return reinterpret_cast<const __m128i*>(row + at); };
      a = weighted(a, _mm_loadl_epi64(eight(0)), weights[k]);
      b = weighted(b, _mm_loadl_epi64(eight(8)), weights[k]);
      c = weighted(c, _mm_loadl_epi64(eight(16)), weights[k]);
      d = weighted(d, _mm_loadl_epi64(eight(24)), weights[k]);
    }
    const __m256i bytes = _mm256_packus_epi16(packed(a, b), packed(c, d));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + x), _mm256_permutevar8x32_epi32(bytes, order));
  }
  sum_rows(from, stride, count, weights, to, length, x);
}

bool has_avx2() {
  static const bool has = __builtin_cpu_supports("avx2") != 0;
  return has;
}

void scale_gray_row(const uint8_t* from, uint8_t* to, int width, const Taps& taps) {
  for (int x = 0; x < width; ++x) {
    const auto i = static_cast<size_t>(x);
    const uint8_t* pixel = from + taps.first[i];
    const int32_t* weights = &taps.weights[i * static_cast<size_t>(taps.width)];
    int32_t sum = kHalf;
    for (int k = 0; k < taps.count[i]; ++k) sum += pixel[k] * weights[k];
    to[x] = to_byte(sum);
  }
}

}  // namespace

Image scale_rows(const Image& image, int first, int rows, int width, const Taps& taps) {
  Image out(width, rows, image.channels);
  if (image.channels != 3) {
    for (int y = 0; y < rows; ++y) scale_gray_row(image.row(first + y), out.row(y), width, taps);
    return out;
  }
  const size_t in_bytes = static_cast<size_t>(image.width) * 3, out_bytes = static_cast<size_t>(width) * 3;
  std::vector<uint8_t> results(kRows * (out_bytes + 1));
  std::vector<uint8_t> last(in_bytes + 1);  // the picture's last row, which has nothing behind it
  std::copy_n(image.row(image.height - 1), in_bytes, last.begin());
  RowsOut to;
  for (size_t row = 0; row < kRows; ++row) to[row] = results.data() + row * (out_bytes + 1);
  for (int y = 0; y < rows; y += static_cast<int>(kRows)) {
    RowsIn from;
    for (size_t row = 0; row < kRows; ++row) {
      const int source = first + std::min(y + static_cast<int>(row), rows - 1);
      from[row] = source == image.height - 1 ? last.data() : image.row(source);
    }
    (has_avx2() ? scale_four_avx2 : scale_four)(from, to, width, taps);
    for (size_t row = 0; row < kRows && y + static_cast<int>(row) < rows; ++row)
      std::copy_n(to[row], out_bytes, out.row(y + static_cast<int>(row)));
  }
  return out;
}

Image scale_columns(const Image& image, int base, int height, const Taps& taps) {
  Image out(image.width, height, image.channels);
  const size_t length = static_cast<size_t>(image.width) * static_cast<size_t>(image.channels);
  for (int y = 0; y < height; ++y) {
    const auto i = static_cast<size_t>(y);
    const uint8_t* from = image.row(taps.first[i] - base);
    const int32_t* weights = &taps.weights[i * static_cast<size_t>(taps.width)];
    if (has_avx2()) {
      sum_rows_avx2(from, length, taps.count[i], weights, out.row(y), length);
    } else {
      sum_rows(from, length, taps.count[i], weights, out.row(y), length);
    }
  }
  return out;
}

}  // namespace temper
