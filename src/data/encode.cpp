// clang-format off: jpeglib.h needs FILE
#include "data/encode.h"

#include <cstdio>
#include <cstdlib>
#include <jpeglib.h>
// clang-format on

#include "base/check.h"

namespace temper {

// What can go wrong here is memory alone: libjpeg then ends the call.
[[noreturn]] static void fail(j_common_ptr info) {
  jpeg_destroy(info);
  throw Error(ErrorKind::exhausted, "no memory to write a JPEG");
}

std::string encode_jpeg(const Image& image, int quality) {
  TEMPER_CHECK(image.width > 0 && image.height > 0 && (image.channels == 1 || image.channels == 3));
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  errors.error_exit = fail;
  jpeg_create_compress(&info);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &bytes, &size);
  info.image_width = static_cast<JDIMENSION>(image.width);
  info.image_height = static_cast<JDIMENSION>(image.height);
  info.input_components = image.channels;
  info.in_color_space = image.channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, quality, TRUE);
  jpeg_start_compress(&info, TRUE);
  for (int y = 0; y < image.height; ++y) {
    JSAMPROW row = const_cast<JSAMPROW>(image.row(y));  // libjpeg reads it only
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  std::string result(reinterpret_cast<const char*>(bytes), size);
  std::free(bytes);
  return result;
}

}  // namespace temper
