#include "data/npy.h"

#include <gtest/gtest.h>

#include <numeric>

#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "tensor/compare.h"
#include "unit/data/pictures.h"

namespace temper {
namespace {

TEST(Npy, ReadsWhatNumPyWrites) {
  std::vector<double> numbers(24);
  std::iota(numbers.begin(), numbers.end(), 0);
  const Shape shape = {2, 3, 4};
  EXPECT_TRUE(close(read_npy(golden_data("c_i32.npy")), from_doubles({DType::i32, shape}, numbers), 0, 0));
  EXPECT_TRUE(
      close(read_npy(golden_data("fortran_f64.npy")), from_doubles({DType::f64, shape}, numbers), 0, 0));
  EXPECT_TRUE(
      close(read_npy(golden_data("big_fortran_f32.npy")), from_doubles({DType::f32, shape}, numbers), 0, 0));
  EXPECT_TRUE(close(read_npy(golden_data("version2.npy")), from_doubles({DType::u8, shape}, numbers), 0, 0));
  for (double& number : numbers) number -= 12;
  EXPECT_TRUE(close(read_npy(golden_data("big_i16.npy")), from_doubles({DType::i16, shape}, numbers), 0, 0));
  EXPECT_TRUE(close(read_npy(golden_data("scalar_bool.npy")), Tensor::scalar(true), 0, 0));
  EXPECT_EQ(to_doubles(read_npy(golden_data("f16.npy"))), (std::vector<double>{1.5, -2, 65504}));
  EXPECT_EQ(to_string(read_npy(golden_data("empty_u8.npy")).type()), "u8[0, 3]");
}

// NumPy's own bytes, so that what is written is what it would write.
TEST(Npy, WritesNumPysBytes) {
  for (const char* name : {"c_i32.npy", "scalar_bool.npy", "f16.npy", "empty_u8.npy"}) {
    EXPECT_EQ(npy_bytes(read_npy(golden_data(name))), MappedFile(golden_data(name)).text()) << name;
  }
}

TEST(Npy, EveryTypeSurvivesWidened) {
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    const Tensor tensor = from_doubles({dtype, {3}}, std::vector<double>{0, 1, 1});
    const std::string bytes = npy_bytes(tensor);
    const Tensor again = parse_npy(std::as_bytes(std::span(bytes)));
    EXPECT_EQ(to_doubles(again), to_doubles(tensor)) << to_string(dtype);
    EXPECT_GE(bit_width(again.dtype()), 8);
  }
  const std::string bytes = npy_bytes(from_doubles({DType::i4, {2}}, std::vector<double>{-8, 7}));
  EXPECT_EQ(to_int64s(parse_npy(std::as_bytes(std::span(bytes)))), (std::vector<int64_t>{-8, 7}));
}

TEST(Npy, RefusesByName) {
  const TemporaryFolder folder;
  const std::string good(MappedFile(golden_data("c_i32.npy")).text());
  const auto refuses = [&](ErrorKind kind, const std::string& bytes, const std::string& part) {
    const std::string path = folder.write("x.npy", bytes);
    expect_error(kind, part, [&] { read_npy(path); });
    expect_error(kind, path, [&] { read_npy(path); });
  };
  const auto changed = [&](const std::string& from, const std::string& to) {
    return std::string(good).replace(good.find(from), from.size(), to);
  };
  refuses(ErrorKind::corrupt, "", "does not begin with");
  refuses(ErrorKind::corrupt, good.substr(0, 8), "within the header");
  refuses(ErrorKind::corrupt, good.substr(0, 60), "ends after 60 bytes, within the header");
  refuses(ErrorKind::corrupt, good.substr(0, good.size() - 1),
          "i32[2, 3, 4] takes 96 bytes after the header, found 95");
  refuses(ErrorKind::unsupported, std::string(good).replace(6, 1, "\x09"), "version 9");
  refuses(ErrorKind::corrupt, changed("'descr'", "'descx'"), "has no 'descr'");
  refuses(ErrorKind::corrupt, changed("(2, 3, 4)", "[2, 3, 4]"), "no tuple");
  refuses(ErrorKind::corrupt, changed("(2, 3, 4)", "(2, -3,4)"), "the size '-3'");
  refuses(ErrorKind::invalid, changed("(2, 3, 4), }          ", "(4611686018427387905,)}"), "more than 2^62");
  expect_error(ErrorKind::unsupported, "type '<c16'", [] { read_npy(golden_data("complex.npy")); });
  expect_error(ErrorKind::unsupported, "records", [] { read_npy(golden_data("record.npy")); });
}

}  // namespace
}  // namespace temper
