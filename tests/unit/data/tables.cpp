// IDX, gzip and CSV.
#include <gtest/gtest.h>
#include <zlib.h>

#include "data/csv.h"
#include "data/gzip.h"
#include "data/idx.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace temper {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string gzip(std::string_view text) {
  z_stream stream = {};
  deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

using namespace std::string_literals;

TEST(Gzip, UnpacksUpToALimit) {
  const std::string text(5'000'000, 'x'), packed = gzip(text);
  EXPECT_TRUE(is_gzip(bytes_of(packed)));
  EXPECT_EQ(gunzip(bytes_of(packed), 10'000'000), text);
  EXPECT_EQ(gunzip(bytes_of(packed), 5'000'000), text);
  EXPECT_EQ(gunzip(bytes_of(packed), 7).size(), 7U);
  EXPECT_EQ(gunzip(bytes_of(gzip("")), 7), "");
  expect_error(ErrorKind::corrupt, "end early",
               [&] { gunzip(bytes_of(packed).first(packed.size() - 9), 10'000'000); });
  std::string broken = packed;
  broken[12] = static_cast<char>(0xff);
  expect_error(ErrorKind::corrupt, "gzip: ", [&] { gunzip(bytes_of(broken), 10'000'000); });
}

TEST(Idx, ReadsEveryType) {
  const Tensor labels = parse_idx(bytes_of("\0\0\x08\1\0\0\0\3\5\6\7"s));
  EXPECT_EQ(to_string(labels.type()), "u8[3]");
  EXPECT_EQ(to_int64s(labels), (std::vector<int64_t>{5, 6, 7}));
  EXPECT_EQ(to_int64s(parse_idx(bytes_of("\0\0\x0b\1\0\0\0\1\xff\xfe"s))), (std::vector<int64_t>{-2}));
  EXPECT_EQ(to_int64s(parse_idx(bytes_of("\0\0\x0c\1\0\0\0\1\0\0\1\2"s))), (std::vector<int64_t>{258}));
  EXPECT_EQ(to_int64s(parse_idx(bytes_of("\0\0\x09\1\0\0\0\1\xff"s))), (std::vector<int64_t>{-1}));
  EXPECT_EQ(to_doubles(parse_idx(bytes_of("\0\0\x0d\1\0\0\0\1\x3f\xc0\0\0"s))), (std::vector<double>{1.5}));
  EXPECT_EQ(to_doubles(parse_idx(bytes_of("\0\0\x0e\1\0\0\0\1\x3f\xf8\0\0\0\0\0\0"s))),
            (std::vector<double>{1.5}));
  const Tensor packed = parse_idx(bytes_of(gzip("\0\0\x08\3\0\0\0\1\0\0\0\1\0\0\0\2ab"s)));
  EXPECT_EQ(to_string(packed.type()), "u8[1, 1, 2]");
}

TEST(Idx, RefusesWrongCounts) {
  const auto refuses = [](const std::string& bytes, const std::string& part) {
    expect_error(ErrorKind::corrupt, part, [&] { parse_idx(bytes_of(bytes)); });
  };
  const std::string few = "\0\0\x08\1\0\0\0\3\5\6"s, many = "\0\0\x08\1\0\0\0\3\5\6\7\x08"s;
  for (const bool packed : {false, true}) {
    refuses(packed ? gzip(few) : few, "its sizes [3] ask for 3 bytes after the header, found 2");
    refuses(packed ? gzip(many) : many, "its sizes [3] ask for 3 bytes after the header, found 4");
  }
  refuses("", "it has 0 bytes");
  refuses("\0\0\7\1\0\0\0\0"s, "magic number is 1793, expected 2049 for labels");
  refuses("\0\0\x08\0"s, "within its 0 sizes");
  refuses("\0\0\x08\2\0\0\0\1"s, "within its 2 sizes");
  refuses(gzip("\0\0\x08\2\x7f\0\0\0\x7f\0\0\0"s), "compressed bytes can hold");
  const TemporaryFolder folder;
  const std::string path = folder.write("a-idx1-ubyte", few);
  expect_error(ErrorKind::corrupt, path + ": not a whole IDX file", [&] { read_idx(path); });
}

TEST(Csv, FindsSeparatorAndHeader) {
  const Csv csv = parse_csv(
      "\xef\xbb\xbf"
      "a;b;\"the; class\"\r\n1;2.5;x\r\n\r\n 3 ; -4e1 ;\"y \"\"z\"\"\"\r\n");
  EXPECT_TRUE(csv.has_header());
  EXPECT_EQ(csv.columns(), 3U);
  EXPECT_EQ(csv.rows(), 2U);
  EXPECT_EQ(csv.name(2), "the; class");
  EXPECT_EQ(csv.at(1, 2), "y \"z\"");
  EXPECT_EQ(csv.number(1, 1), -40);
  EXPECT_EQ(csv.line(1), 4U);
  EXPECT_EQ(csv.find({"label", "B"}), 1);
  EXPECT_EQ(csv.find({"label"}), -1);
  EXPECT_FALSE(parse_csv("1\t2\tcat\n3\t4\tdog").has_header());
  EXPECT_TRUE(parse_csv("x,y\n1,2").has_header());
  EXPECT_EQ(parse_csv("1,\"a\nb\",3\n4,5,6").at(0, 1), "a\nb");
  EXPECT_EQ(parse_csv(gzip("x,y\n1,2")).number(0, 1), 2);
}

TEST(Csv, RefusesByLine) {
  const auto refuses = [](const std::string& text, const std::string& part) {
    expect_error(ErrorKind::invalid, part, [&] { parse_csv(text); });
  };
  refuses("", "an empty table");
  refuses("a,b\n", "a table of one line");
  refuses("a,b\n1,2\n1,2,3\n", "line 3 has 3 fields, the first line has 2");
  refuses("a,b\n1,\"2\n", "line 2: the quote that opens a field is never closed");
  refuses("a,b\n1,\"2\"3\n", "line 2: text follows the closing quote");
  const std::string packed = gzip("x,y\n1,2");
  expect_error(ErrorKind::corrupt, "gzip: the compressed data end early",
               [&] { parse_csv(packed.substr(0, packed.size() - 9)); });
  const Csv csv = parse_csv("a,b\n1,x\n");
  expect_error(ErrorKind::invalid, "line 2, column 'b': expected a number, found 'x'",
               [&] { csv.number(0, 1); });
}

}  // namespace
}  // namespace temper
