#include "temper/tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "support/expect_error.h"
#include "tensor/compare.h"
#include "tensor/print.h"

namespace temper {
namespace {

using testing::HasSubstr;

TEST(DTypes, NamesRoundTrip) {
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    EXPECT_EQ(dtype_from_string(to_string(dtype)), dtype);
    EXPECT_EQ(is_packed(dtype), bit_width(dtype) < 8);
  }
  EXPECT_EQ(dtype_from_string("float32"), DType::f32);
  EXPECT_EQ(dtype_from_string("bfloat16"), DType::bf16);
  EXPECT_EQ(dtype_from_string("complex64"), std::nullopt);
}

TEST(DTypes, ByteSizesAreChecked) {
  EXPECT_EQ(byte_size(DType::u2, 5), 2);
  EXPECT_EQ(byte_size(DType::i4, 0), 0);
  EXPECT_EQ(byte_size(DType::f64, 3), 24);
  expect_error(ErrorKind::invalid, "64 bits can count", [] { byte_size(DType::f64, int64_t{1} << 61); });
  expect_error(ErrorKind::invalid, "found -1", [] { byte_size(DType::f32, -1); });
}

TEST(Shapes, PrintAndCount) {
  const Shape shape = {Dim::symbol("N"), Dim(2, "T"), 3};
  EXPECT_EQ(to_string(shape), "[N, 2*T, 3]");
  EXPECT_EQ(to_string(Type{DType::f16, shape}), "f16[N, 2*T, 3]");
  EXPECT_FALSE(shape.is_static());
  EXPECT_EQ(specialise(shape, {{"T", 5}}), (Shape{Dim::symbol("N"), 10, 3}));
  EXPECT_EQ(specialise(shape, {{"T", 5}, {"N", 2}}).elements(), 60);
  EXPECT_EQ(Shape().elements(), 1);
  EXPECT_EQ(Shape::of({2, 0, 3}).elements(), 0);
  EXPECT_EQ(Dim(0, "N"), Dim(0));
  EXPECT_NE(Dim::symbol("N"), Dim::symbol("M"));
}

TEST(Shapes, RefuseWhatCannotBe) {
  const int64_t huge = int64_t{1} << 31;
  EXPECT_EQ(Shape::of({huge, huge}).elements(), int64_t{1} << 62);
  expect_error(ErrorKind::invalid, "more than 2^62", [=] { Shape::of({huge, huge, 2}).elements(); });
  expect_error(ErrorKind::invalid, "more than 2^62", [=] { Shape::of({huge, huge, huge, huge}).elements(); });
  EXPECT_EQ(Shape::of({huge, huge, huge, 0}).elements(), 0);
  expect_error(ErrorKind::invalid, "negative", [] { Shape::of({2, -1}); });
  expect_error(ErrorKind::invalid, "negative", [] { (void)Shape{-4}.elements(); });
  expect_error(ErrorKind::invalid, "negative", [] { Dim(-1, "N"); });
  expect_error(ErrorKind::internal, "no fixed size", [] { (void)Shape{Dim::symbol("N")}.elements(); });
  expect_error(ErrorKind::invalid, "for N, found -1",
               [] { specialise(Shape{Dim::symbol("N")}, {{"N", -1}}); });
  expect_error(ErrorKind::invalid, "more than 2^62",
               [=] { specialise(Shape{Dim(huge, "N")}, {{"N", huge * 4}}); });
}

TEST(Shapes, SymbolsAreOneTableForAllThreads) {
  std::vector<Dim> dims[4];
  std::vector<std::thread> threads;
  for (auto& mine : dims) {
    threads.emplace_back([&mine] {
      for (int i = 0; i < 200; ++i) mine.push_back(Dim::symbol("symbol" + std::to_string(i)));
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& other : dims) EXPECT_EQ(other, dims[0]);
  EXPECT_EQ(dims[0][123].symbol_name(), "symbol123");
}

TEST(Tensors, AreAlignedAndZero) {
  const Tensor tensor(Type{DType::f32, {3, 5}});
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.data()) % 64, 0u);
  for (const float value : tensor.values<float>()) EXPECT_EQ(value, 0);
  EXPECT_NE(Tensor(Type{DType::f32, {0}}).data(), nullptr);
}

TEST(Tensors, ShareCloneAndReshape) {
  Tensor a = Tensor::from<int32_t>({2, 3}, std::vector<int32_t>{1, 2, 3, 4, 5, 6});
  const Tensor shared = a, own = a.clone(), flat = a.reshaped({6});
  a.mutable_values<int32_t>()[0] = 9;
  EXPECT_EQ(shared.values<int32_t>()[0], 9);
  EXPECT_EQ(own.values<int32_t>()[0], 1);
  EXPECT_EQ(flat.values<int32_t>()[0], 9);
  EXPECT_EQ(Tensor::scalar(2.5).shape().rank(), 0);
  expect_error(ErrorKind::internal, "as [7]", [&] { (void)a.reshaped({7}); });
  expect_error(ErrorKind::internal, "elements of 4 bytes",
               [&] { (void)Tensor(Type{DType::f16, {1}}).values<float>(); });
}

TEST(Tensors, GuardTheirStorage) {
  auto storage = std::make_shared<Storage>(*Tensor(Type{DType::u8, {8}}).storage());
  storage->read_only = true;
  Tensor tensor(Type{DType::f32, {2}}, storage);
  EXPECT_EQ(tensor.values<float>()[1], 0);
  expect_error(ErrorKind::internal, "read-only", [&] { tensor.mutable_data(); });
  expect_error(ErrorKind::internal, "too small", [&] { Tensor(Type{DType::f64, {2}}, storage); });
}

TEST(Tensors, NameTheBytesWhenMemoryIsShort) {
  expect_error(ErrorKind::exhausted, "4611686018427387904 bytes",
               [] { Tensor(Type{DType::u8, {int64_t{1} << 62}}); });
}

TEST(Compare, NanAndInfinityEqualThemselves) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  const Type type{DType::f32, {4}};
  const Tensor a = from_doubles(type, std::vector<double>{nan, inf, -inf, 1});
  EXPECT_TRUE(close(a, a, 0, 0));
  EXPECT_EQ(difference(a, a).at, -1);
  for (const std::vector<double>& other :
       {std::vector<double>{1, inf, -inf, 1}, {nan, -inf, -inf, 1}, {nan, inf, 3, 1}}) {
    const Tensor b = from_doubles(type, other);
    EXPECT_FALSE(close(a, b, 1, 1));
    EXPECT_FALSE(close(b, a, 1, 1));
    EXPECT_EQ(difference(a, b).max_abs, inf);
  }
}

TEST(Compare, SaysWhereAndByHowMuch) {
  const Tensor a = from_doubles({DType::f64, {2, 2}}, std::vector<double>{1, 2, 3, 4});
  const Tensor b = from_doubles({DType::f64, {2, 2}}, std::vector<double>{1, 2, 3.5, 4.25});
  const Difference far = difference(a, b);
  EXPECT_EQ(far.max_abs, 0.5);
  EXPECT_EQ(far.at, 2);
  EXPECT_DOUBLE_EQ(far.max_rel, 0.5 / 3.5);
  std::string why;
  EXPECT_FALSE(close(a, b, 0, 0.25, &why));
  EXPECT_THAT(why, HasSubstr("1 of 4 elements"));
  EXPECT_THAT(why, HasSubstr("[1, 0]: 3 and 3.5"));
  EXPECT_TRUE(close(a, b, 0.2, 0));
  EXPECT_FALSE(close(a, Tensor::scalar(1.0), 1, 1, &why));
  EXPECT_THAT(why, HasSubstr("types differ: f64[2, 2] and f64[]"));
}

TEST(Compare, LongIntegersAreExact) {
  const int64_t big = (int64_t{1} << 62) + 1;
  const Tensor a = Tensor::scalar(big), b = Tensor::scalar(big - 1);
  EXPECT_EQ(difference(a, b).max_abs, 1);
  EXPECT_FALSE(close(a, b, 0, 0.5));
  EXPECT_TRUE(close(a, b, 0, 1));
  EXPECT_EQ(difference(Tensor::scalar(uint64_t{1}), Tensor::scalar(~uint64_t{0})).max_abs, 0x1p64);
}

TEST(Print, ShowsTheEdges) {
  EXPECT_EQ(to_string(Tensor::from<float>({2, 2}, std::vector<float>{1, 0.1F, -3, 4})),
            "f32[2, 2] [[1, 0.1], [-3, 4]]");
  std::vector<int64_t> values(10);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int64_t>(i);
  const Tensor ten = Tensor::from<int64_t>({10}, values);
  EXPECT_EQ(to_string(ten), "i64[10] [0, 1, 2, ..., 7, 8, 9]");
  EXPECT_EQ(to_string(ten, 5), "i64[10] [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]");
  EXPECT_EQ(to_string(Tensor::scalar(true)), "bool[] true");
  EXPECT_EQ(to_string(Tensor(Type{DType::f32, {2, 0}})), "f32[2, 0] [[], []]");
  EXPECT_EQ(to_string(Tensor()), "no tensor");
}

}  // namespace
}  // namespace temper
