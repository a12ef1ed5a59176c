#include "data/decode.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/file.h"
#include "data/npy.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "unit/data/pictures.h"

namespace temper {
namespace {

struct Gap {
  double mean = 0;
  int max = 0;
};

Gap gap_between(const Image& image, const Tensor& golden) {
  Gap gap;
  const std::span<const uint8_t> expected = golden.values<uint8_t>();
  EXPECT_EQ(golden.shape().size(0), image.height);
  EXPECT_EQ(golden.shape().size(1), image.width);
  EXPECT_EQ(expected.size(), image.pixels.size());
  if (expected.size() != image.pixels.size()) return gap;
  for (size_t i = 0; i < expected.size(); ++i) {
    const int distance = std::abs(int{expected[i]} - int{image.pixels[i]});
    gap.mean += distance / static_cast<double>(expected.size());
    gap.max = std::max(gap.max, distance);
  }
  return gap;
}

Image read(const std::string& name, int channels = 3) {
  return read_image(golden_data(name), {.channels = channels});
}

class LikePillow : public testing::TestWithParam<const char*> {};

TEST_P(LikePillow, ToTheBit) {
  const std::string name = GetParam();
  EXPECT_EQ(gap_between(read(name), read_npy(golden_data(name + ".npy"))).max, 0);
}

INSTANTIATE_TEST_SUITE_P(Png, LikePillow,
                         testing::Values("rgb.png", "rgba.png", "gray.png", "palette4.png", "palette8.png",
                                         "bit.png", "interlaced.png", "rgb16.png", "gray2.png"));
INSTANTIATE_TEST_SUITE_P(Bmp, LikePillow,
                         testing::Values("rgb24.bmp", "gray8.bmp", "bit.bmp", "palette4.bmp", "runs8.bmp",
                                         "runs4.bmp", "rgb32.bmp", "rgb555.bmp", "rgb565.bmp", "core.bmp"));
INSTANTIATE_TEST_SUITE_P(WebP, LikePillow, testing::Values("lossless.webp", "lossy.webp"));

// Versions of libjpeg differ in how they upsample colour, by a little.
class NearPillow : public testing::TestWithParam<const char*> {};

TEST_P(NearPillow, Closely) {
  const std::string name = GetParam();
  const Gap gap = gap_between(read(name), read_npy(golden_data(name + ".npy")));
  EXPECT_LE(gap.mean, 0.5);
  EXPECT_LE(gap.max, 4);
}

INSTANTIATE_TEST_SUITE_P(Jpeg, NearPillow,
                         testing::Values("rgb.jpg", "progressive.jpg", "gray.jpg", "cmyk.jpg",
                                         "orientation1.jpg", "orientation2.jpg", "orientation3.jpg",
                                         "orientation4.jpg", "orientation5.jpg", "orientation6.jpg",
                                         "orientation7.jpg", "orientation8.jpg"));

TEST(Decode, GivesGray) {
  const Image gray = read("rgb.jpg", 1);
  EXPECT_EQ(gray.channels, 1);
  const Tensor golden = read_npy(golden_data("rgb.jpg.gray.npy"));
  EXPECT_LE(gap_between(gray, golden).max, 2);
  EXPECT_EQ(read("gray.png", 1).channels, 1);
  EXPECT_EQ(read("gray.png", 3).channels, 3);
}

// 23 x 18 pixels: halves to 12 x 9, quarters to 6 x 5.
TEST(Decode, JpegIsScaledNeverBelowTwiceTheWantedSide) {
  const auto height = [](int wanted) {
    return read_image(golden_data("rgb.jpg"), {.min_short_side = wanted}).height;
  };
  EXPECT_EQ(height(0), 18);
  EXPECT_EQ(height(5), 18);
  EXPECT_EQ(height(4), 9);
  EXPECT_EQ(height(3), 9);
  EXPECT_EQ(height(2), 5);
  EXPECT_EQ(height(1), 3);
  EXPECT_EQ(read_image(golden_data("rgb.png"), {.min_short_side = 1}).height, 18);
}

TEST(Decode, EveryCutOfEveryFormatIsAnError) {
  for (const char* name : {"rgb.jpg", "progressive.jpg", "cmyk.jpg", "rgb.png", "interlaced.png",
                           "lossy.webp", "lossless.webp", "rgb24.bmp", "palette4.bmp", "runs8.bmp"}) {
    const MappedFile file(golden_data(name));
    // A bitmap may lack the padding of its last row.
    for (size_t size = 0; size + 3 < file.bytes().size(); ++size) {
      EXPECT_THROW(decode_image(file.bytes().first(size), {}), Error) << name << " cut to " << size;
    }
  }
}

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

TEST(Decode, SaysWhatIsWrong) {
  const auto refuses = [](ErrorKind kind, std::string_view bytes, const std::string& part) {
    expect_error(kind, part, [&] { decode_image(bytes_of(bytes), {}); });
  };
  refuses(ErrorKind::corrupt, "", "an empty file");
  refuses(ErrorKind::unsupported, "GIF89a..", "begins with the bytes 47494638");
  const MappedFile jpeg(golden_data("rgb.jpg")), png(golden_data("rgb.png")), webp(golden_data("lossy.webp"));
  refuses(ErrorKind::corrupt, jpeg.text().substr(0, jpeg.text().size() / 2), "broken JPEG: Premature end");
  refuses(ErrorKind::corrupt, png.text().substr(0, 100), "broken PNG: it ends early");
  refuses(ErrorKind::corrupt, webp.text().substr(0, 60), "broken WebP: it ends early");
  refuses(ErrorKind::unsupported, MappedFile(golden_data("animated.webp")).text(), "animated");
  std::string flipped(png.text());
  flipped[60] = static_cast<char>(flipped[60] ^ 4);
  refuses(ErrorKind::corrupt, flipped, "broken PNG: ");
}

TEST(Decode, RefusesHugeSizesBeforeAllocating) {
  std::string bmp(MappedFile(golden_data("rgb24.bmp")).text());
  std::memcpy(&bmp[18], "\xff\xff\xff\x7f", 4);
  expect_error(ErrorKind::unsupported, "BMP of 2147483647 x 18 pixels; at most",
               [&] { decode_image(bytes_of(bmp), {}); });
  std::memcpy(&bmp[18], "\x00\x00\x10\x00", 4);
  expect_error(ErrorKind::corrupt, "more than its bytes can hold", [&] { decode_image(bytes_of(bmp), {}); });
  std::memcpy(&bmp[18], "\xff\xff\xff\xff", 4);
  expect_error(ErrorKind::corrupt, "BMP of -1 x 18", [&] { decode_image(bytes_of(bmp), {}); });
  std::string jpeg(MappedFile(golden_data("rgb.jpg")).text());
  const size_t frame = jpeg.find("\xff\xc0");
  std::memcpy(&jpeg[frame + 5], "\xff\xdc\xff\xdc", 4);
  expect_error(ErrorKind::unsupported, "JPEG of 65500 x 65500", [&] { decode_image(bytes_of(jpeg), {}); });
  std::memcpy(&jpeg[frame + 5], "\x20\x00\x20\x00", 4);
  expect_error(ErrorKind::corrupt, "JPEG of 8192 x 8192 pixels, more than",
               [&] { decode_image(bytes_of(jpeg), {}); });
}

TEST(Decode, BmpNamesWhatItCannotRead) {
  std::string bmp(MappedFile(golden_data("rgb24.bmp")).text());
  bmp[28] = 7;
  expect_error(ErrorKind::unsupported, "BMP of 7 bits a pixel", [&] { decode_image(bytes_of(bmp), {}); });
  bmp[14] = 20;
  expect_error(ErrorKind::corrupt, "a header of 20 bytes", [&] { decode_image(bytes_of(bmp), {}); });
  std::string runs(MappedFile(golden_data("runs8.bmp")).text());
  runs[118] = static_cast<char>(200);
  expect_error(ErrorKind::corrupt, "a run leaves the picture", [&] { decode_image(bytes_of(runs), {}); });
}

TEST(Decode, FilesAreNamed) {
  const TemporaryFolder folder;
  const std::string path = folder.write("a.jpg", "\xff\xd8\xff");
  expect_error(ErrorKind::corrupt, "picture " + path + ": broken JPEG", [&] { read_image(path, {}); });
  expect_error(ErrorKind::not_found, "absent.png",
               [&] { read_image((folder.path() / "absent.png").string(), {}); });
  EXPECT_TRUE(is_picture_name("a/B.JPEG"));
  EXPECT_TRUE(is_picture_name("x.webp"));
  EXPECT_FALSE(is_picture_name("x.gif"));
  EXPECT_FALSE(is_picture_name("jpg"));
}

}  // namespace
}  // namespace temper
