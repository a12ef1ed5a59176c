// clang-format off: jpeglib.h needs FILE
#include <cstdio>
#include <jpeglib.h>
#include <jerror.h>
// clang-format on
#include <libexif/exif-data.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <memory>
#include <string_view>

#include "base/text.h"
#include "data/decoders.h"
#include "temper/error.h"

namespace temper {
namespace {

constexpr int kMaxScans = 200;  // a progressive file of a few bytes can name thousands
// Of one bit, at the highest subsampling: a block of 8 x 8, each value shared by 4 x 4 pixels.
constexpr int64_t kPixelsPerBit = 64 * 16;

// libjpeg reports errors by leaving through longjmp, so nothing here may need a destructor while it runs.
struct Decoder {
  jpeg_decompress_struct info;
  jpeg_error_mgr errors;
  jpeg_progress_mgr progress;
  std::jmp_buf escape;
  char message[JMSG_LENGTH_MAX];
};

Decoder& decoder_of(j_common_ptr info) { return *static_cast<Decoder*>(info->client_data); }

[[noreturn]] void leave(j_common_ptr info) {
  info->err->format_message(info, decoder_of(info).message);
  std::longjmp(decoder_of(info).escape, 1);
}

void on_message(j_common_ptr info, int level) {
  const int code = info->err->msg_code;
  // Other warnings, such as bytes too many between markers, leave the picture whole.
  if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER)) leave(info);
}

void on_progress(j_common_ptr info) {
  const auto* decompress = reinterpret_cast<j_decompress_ptr>(info);
  if (decompress->input_scan_number <= kMaxScans) return;
  std::snprintf(decoder_of(info).message, JMSG_LENGTH_MAX, "more than %d scans", kMaxScans);
  std::longjmp(decoder_of(info).escape, 1);
}

bool read_header(Decoder& decoder, Bytes bytes) {
  decoder.info.err = jpeg_std_error(&decoder.errors);
  decoder.info.client_data = &decoder;
  decoder.errors.error_exit = leave;
  decoder.errors.emit_message = on_message;
  if (setjmp(decoder.escape)) return false;
  jpeg_create_decompress(&decoder.info);
  decoder.progress.progress_monitor = on_progress;
  decoder.info.progress = &decoder.progress;
  jpeg_save_markers(&decoder.info, JPEG_APP0 + 1, 0xffff);
  jpeg_mem_src(&decoder.info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&decoder.info, TRUE);
  return true;
}

// The smallest of 8/8, 4/8, 2/8, 1/8 that keeps the short side at twice what is wanted.
int scale_for(const jpeg_decompress_struct& info, int min_short_side) {
  if (min_short_side <= 0) return 8;
  const int64_t side = std::min(info.image_width, info.image_height);
  int eighths = 8;
  while (eighths > 1 && (side * (eighths / 2) + 7) / 8 >= 2 * int64_t{min_short_side}) eighths /= 2;
  return eighths;
}

bool start(Decoder& decoder, int min_short_side) {
  if (setjmp(decoder.escape)) return false;
  jpeg_decompress_struct& info = decoder.info;
  const bool ink = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
  const bool gray = info.jpeg_color_space == JCS_GRAYSCALE;
  info.out_color_space = gray ? JCS_GRAYSCALE : ink ? JCS_CMYK : JCS_RGB;
  info.scale_num = static_cast<unsigned>(scale_for(info, min_short_side));
  info.scale_denom = 8;
  jpeg_start_decompress(&info);
  return true;
}

bool read_row(Decoder& decoder, uint8_t* row) {
  if (setjmp(decoder.escape)) return false;
  JSAMPROW rows[1] = {row};
  jpeg_read_scanlines(&decoder.info, rows, 1);
  return true;
}

// Inks are stored inverted, as Adobe does: 255 is none. Rounded as Pillow's CMYK to RGB.
void ink_to_rgb(const uint8_t* inks, uint8_t* rgb, int width) {
  for (int x = 0; x < width; ++x, inks += 4, rgb += 3) {
    const uint32_t light = inks[3];
    for (int c = 0; c < 3; ++c) {
      const uint32_t product = (255u - inks[c]) * light + 128;
      rgb[c] = static_cast<uint8_t>(light - (((product >> 8) + product) >> 8));
    }
  }
}

int orientation_of(const jpeg_decompress_struct& info) {
  for (const auto* marker = info.marker_list; marker; marker = marker->next) {
    const int orientation = exif_orientation(std::as_bytes(std::span(marker->data, marker->data_length)));
    if (orientation != 1) return orientation;
  }
  return 1;
}

[[noreturn]] void fail(const Decoder& decoder) {
  const int code = decoder.errors.msg_code;
  const bool unsupported = code == JERR_BAD_PRECISION || code == JERR_ARITH_NOTIMPL ||
                           code == JERR_SOF_UNSUPPORTED || code == JERR_CONVERSION_NOTIMPL;
  throw Error(unsupported ? ErrorKind::unsupported : ErrorKind::corrupt,
              concat("broken JPEG: ", decoder.message));
}

}  // namespace

int exif_orientation(Bytes bytes) {
  constexpr std::string_view kHead("Exif\0\0", 6);
  if (bytes.size() < kHead.size() || std::memcmp(bytes.data(), kHead.data(), kHead.size()) != 0) return 1;
  const std::unique_ptr<ExifData, void (*)(ExifData*)> data(
      exif_data_new_from_data(reinterpret_cast<const unsigned char*>(bytes.data()),
                              static_cast<unsigned>(bytes.size())),
      exif_data_unref);
  if (!data) return 1;
  const ExifEntry* entry = exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
  if (!entry || entry->format != EXIF_FORMAT_SHORT || entry->size < 2) return 1;
  return exif_get_short(entry->data, exif_data_get_byte_order(data.get()));
}

Jpeg decode_jpeg(Bytes bytes, int min_short_side) {
  Decoder decoder = {};
  const auto destroy = [](Decoder* used) { jpeg_destroy_decompress(&used->info); };
  const std::unique_ptr<Decoder, decltype(destroy)> cleanup(&decoder, destroy);
  if (!read_header(decoder, bytes)) fail(decoder);
  check_size("JPEG", decoder.info.image_width, decoder.info.image_height,
             static_cast<int64_t>(bytes.size()) * 8 * kPixelsPerBit);
  if (!start(decoder, min_short_side)) fail(decoder);
  const int components = decoder.info.output_components;
  const auto width = static_cast<int>(decoder.info.output_width),
             height = static_cast<int>(decoder.info.output_height);
  Jpeg jpeg{Image(width, height, components == 1 ? 1 : 3), orientation_of(decoder.info)};
  std::vector<uint8_t> inks(components == 4 ? static_cast<size_t>(width) * 4 : 0);
  for (int y = 0; y < height; ++y) {
    if (!read_row(decoder, inks.empty() ? jpeg.image.row(y) : inks.data())) fail(decoder);
    if (!inks.empty()) ink_to_rgb(inks.data(), jpeg.image.row(y), width);
  }
  return jpeg;
}

}  // namespace temper
