#include <webp/decode.h>

#include <limits>

#include "base/text.h"
#include "data/decoders.h"
#include "temper/error.h"

namespace temper {

Image decode_webp(Bytes bytes) {
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  WebPBitstreamFeatures features;
  const VP8StatusCode known = WebPGetFeatures(data, bytes.size(), &features);
  if (known == VP8_STATUS_NOT_ENOUGH_DATA) throw Error(ErrorKind::corrupt, "broken WebP: it ends early");
  if (known != VP8_STATUS_OK)
    throw Error(ErrorKind::corrupt, concat("broken WebP: its header (code ", int{known}, ")"));
  if (features.has_animation)
    throw Error(ErrorKind::unsupported, "an animated WebP; expected a single picture");
  // A lossless file of one colour takes a few bytes whatever its size, which the format limits to 16383 x
  // 16383.
  check_size("WebP", features.width, features.height, std::numeric_limits<int64_t>::max());
  Image image(features.width, features.height, 3);
  WebPDecoderConfig config;
  WebPInitDecoderConfig(&config);
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {image.pixels.data(), features.width * 3, image.pixels.size()};
  const VP8StatusCode status = WebPDecode(data, bytes.size(), &config);
  WebPFreeDecBuffer(&config.output);
  if (status == VP8_STATUS_NOT_ENOUGH_DATA || status == VP8_STATUS_SUSPENDED) {
    throw Error(ErrorKind::corrupt, "broken WebP: it ends early");
  }
  if (status != VP8_STATUS_OK)
    throw Error(ErrorKind::corrupt, concat("broken WebP: its pixels (code ", int{status}, ")"));
  return image;
}

}  // namespace temper
