#include "data/decode.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>

#include "base/check.h"
#include "base/file.h"
#include "data/decoders.h"
#include "data/pixels.h"

namespace temper {
namespace {

bool begins(Bytes bytes, size_t offset, std::string_view text) {
  return bytes.size() >= offset + text.size() &&
         std::memcmp(bytes.data() + offset, text.data(), text.size()) == 0;
}

std::string hex(Bytes bytes) {
  std::string out;
  for (const std::byte byte : bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    out += kDigits[static_cast<size_t>(byte) >> 4];
    out += kDigits[static_cast<size_t>(byte) & 15];
  }
  return out;
}

}  // namespace

void check_size(std::string_view format, int64_t width, int64_t height, int64_t most_pixels) {
  if (width <= 0 || height <= 0) {
    throw Error(ErrorKind::corrupt, concat(format, " of ", width, " x ", height, " pixels"));
  }
  const bool huge = width > kMaxPixels || height > kMaxPixels || width * height > kMaxPixels;
  if (huge) {
    throw Error(ErrorKind::unsupported,
                concat(format, " of ", width, " x ", height, " pixels; at most ", kMaxPixels, " are read"));
  }
  if (width * height > most_pixels) {
    throw Error(ErrorKind::corrupt,
                concat(format, " of ", width, " x ", height, " pixels, more than its bytes can hold"));
  }
}

Image decode_image(std::span<const std::byte> bytes, const DecodeOptions& options) {
  TEMPER_CHECK(options.channels == 1 || options.channels == 3, options.channels);
  if (bytes.empty()) throw Error(ErrorKind::corrupt, "an empty file, expected a picture");
  if (begins(bytes, 0, "\xff\xd8")) {
    Jpeg jpeg = decode_jpeg(bytes, options.min_short_side);
    return with_channels(turned_upright(std::move(jpeg.image), jpeg.orientation), options.channels);
  }
  if (begins(bytes, 0, "\x89PNG\r\n\x1a\n")) return with_channels(decode_png(bytes), options.channels);
  if (begins(bytes, 0, "RIFF") && begins(bytes, 8, "WEBP"))
    return with_channels(decode_webp(bytes), options.channels);
  if (begins(bytes, 0, "BM")) return with_channels(decode_bmp(bytes), options.channels);
  throw Error(ErrorKind::unsupported,
              concat("not a JPEG, PNG, WebP or BMP picture: it begins with the bytes ",
                     hex(bytes.first(std::min<size_t>(4, bytes.size())))));
}

Image read_image(const std::string& path, const DecodeOptions& options) {
  const MappedFile file(path);
  try {
    return decode_image(file.bytes(), options);
  } catch (const Error& error) {
    throw Error(error.kind(), concat("picture ", path, ": ", error.what())).in_file(path);
  }
}

bool is_picture_name(const std::string& path) {
  constexpr std::array<std::string_view, 5> kEndings = {".jpg", ".jpeg", ".png", ".webp", ".bmp"};
  std::string lower = path.substr(path.size() - std::min<size_t>(path.size(), 5));
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return std::any_of(kEndings.begin(), kEndings.end(),
                     [&](std::string_view ending) { return lower.ends_with(ending); });
}

}  // namespace temper
