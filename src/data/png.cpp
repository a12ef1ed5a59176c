#include <png.h>

#include <cstring>

#include "base/text.h"
#include "data/decoders.h"
#include "temper/error.h"

namespace temper {
namespace {

constexpr int64_t kMostPixelsPerByte = 1032 * 8;  // what deflate can pack, of pixels of one bit

// libpng reports errors by leaving through longjmp, so nothing here may need a destructor while it runs.
struct Decoder {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const std::byte* next = nullptr;
  size_t left = 0;
  char message[200] = {};
};

[[noreturn]] void on_error(png_structp png, png_const_charp message) {
  auto* decoder = static_cast<Decoder*>(png_get_error_ptr(png));
  std::strncpy(decoder->message, message, sizeof decoder->message - 1);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

void on_read(png_structp png, png_bytep to, size_t count) {
  auto* decoder = static_cast<Decoder*>(png_get_io_ptr(png));
  if (count > decoder->left) png_error(png, "it ends early");
  std::memcpy(to, decoder->next, count);
  decoder->next += count;
  decoder->left -= count;
}

bool read_header(Decoder& decoder) {
  decoder.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &decoder, on_error, on_warning);
  if (!decoder.png) return false;
  if (setjmp(png_jmpbuf(decoder.png))) return false;
  decoder.info = png_create_info_struct(decoder.png);
  if (!decoder.info) return false;
  png_set_read_fn(decoder.png, &decoder, on_read);
  png_set_user_limits(decoder.png, 0x7fffffff, 0x7fffffff);  // check_size() says it better
  png_set_chunk_malloc_max(decoder.png, 8 << 20);
  png_read_info(decoder.png, decoder.info);
  return true;
}

// To 8 bits of gray or RGB; transparency is left away, not blended.
bool set_conversions(Decoder& decoder, int* passes) {
  if (setjmp(png_jmpbuf(decoder.png))) return false;
  png_structp png = decoder.png;
  const int type = png_get_color_type(png, decoder.info);
  png_set_strip_16(png);
  png_set_strip_alpha(png);
  if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if (type == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(png);
  *passes = png_set_interlace_handling(png);
  png_read_update_info(png, decoder.info);
  return true;
}

bool read_row(Decoder& decoder, uint8_t* row) {
  if (setjmp(png_jmpbuf(decoder.png))) return false;
  png_read_row(decoder.png, row, nullptr);
  return true;
}

bool read_end(Decoder& decoder) {
  if (setjmp(png_jmpbuf(decoder.png))) return false;
  png_read_end(decoder.png, nullptr);
  return true;
}

[[noreturn]] void fail(const Decoder& decoder) {
  throw Error(ErrorKind::corrupt,
              concat("broken PNG: ", decoder.message[0] ? decoder.message : "out of memory"));
}

}  // namespace

Image decode_png(Bytes bytes) {
  struct Owned : Decoder {
    ~Owned() { png_destroy_read_struct(&png, &info, nullptr); }
  } decoder;
  decoder.next = bytes.data(), decoder.left = bytes.size();
  if (!read_header(decoder)) fail(decoder);
  const auto width = png_get_image_width(decoder.png, decoder.info);
  const auto height = png_get_image_height(decoder.png, decoder.info);
  check_size("PNG", width, height, static_cast<int64_t>(bytes.size()) * kMostPixelsPerByte);
  int passes = 0;
  if (!set_conversions(decoder, &passes)) fail(decoder);
  const int channels = png_get_channels(decoder.png, decoder.info);
  const size_t row_bytes = png_get_rowbytes(decoder.png, decoder.info);
  if ((channels != 1 && channels != 3) || row_bytes != size_t{width} * static_cast<size_t>(channels)) {
    throw Error(ErrorKind::unsupported, concat("PNG with ", channels, " channels after conversion"));
  }
  Image image(static_cast<int>(width), static_cast<int>(height), channels);
  for (int pass = 0; pass < passes; ++pass) {
    for (int y = 0; y < image.height; ++y) {
      if (!read_row(decoder, image.row(y))) fail(decoder);
    }
  }
  if (!read_end(decoder)) fail(decoder);
  return image;
}

}  // namespace temper
