#include "data/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "base/text.h"
#include "temper/error.h"

namespace temper {
namespace {

constexpr int kGzipWindow = 15 + 16;  // zlib's code for the largest window and a gzip header
constexpr size_t kStep =
    size_t{1} << 20;  // output grows by what was produced, so a small file cannot claim much

}  // namespace

bool is_gzip(std::span<const std::byte> bytes) {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b};
}

std::string gunzip(std::span<const std::byte> bytes, int64_t most) {
  z_stream stream = {};
  if (inflateInit2(&stream, kGzipWindow) != Z_OK) throw Error(ErrorKind::exhausted, "gzip: out of memory");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> cleanup(&stream, inflateEnd);
  std::string out;
  int status = Z_OK;
  while (status != Z_STREAM_END && static_cast<int64_t>(out.size()) < most) {
    const size_t used = out.size();
    out.resize(std::min(used + std::max(kStep, used), static_cast<size_t>(most)));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + used);
    stream.avail_out =
        static_cast<uInt>(std::min<size_t>(out.size() - used, std::numeric_limits<uInt>::max()));
    const uInt offered = stream.avail_out;
    while (stream.avail_out > 0 && status != Z_STREAM_END) {
      if (stream.avail_in == 0) {
        const size_t chunk = std::min(bytes.size(), kStep);
        if (chunk == 0) throw Error(ErrorKind::corrupt, "gzip: the compressed data end early");
        stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));
        stream.avail_in = static_cast<uInt>(chunk);
        bytes = bytes.subspan(chunk);
      }
      status = inflate(&stream, Z_NO_FLUSH);
      if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) {
        throw Error(ErrorKind::corrupt, concat("gzip: ", stream.msg ? stream.msg : "broken data"));
      }
    }
    out.resize(used + (offered - stream.avail_out));
  }
  return out;
}

}  // namespace temper
