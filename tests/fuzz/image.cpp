// Pictures of every format, at full size and scaled while decoding.
// Covers: src/data/decode.cpp src/data/bmp.cpp src/data/jpeg.cpp src/data/png.cpp src/data/webp.cpp
#include <cstdint>
#include <span>

#include "data/decode.h"
#include "fuzz/refused.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  for (const temper::DecodeOptions& options :
       {temper::DecodeOptions{}, {.channels = 1, .min_short_side = 2}}) {
    try {
      (void)temper::decode_image(bytes, options);
    } catch (const temper::Error& error) {
      temper::refused(error);
    }
  }
  return 0;
}
