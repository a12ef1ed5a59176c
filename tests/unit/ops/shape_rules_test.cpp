// Symbolic dimensions, and what shape rules say of wrong operands.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/primitives.h"
#include "ops/samples.h"

namespace temper {
namespace {

using testing::HasSubstr;

const Dim kN = Dim::symbol("N"), kM = Dim::symbol("M");

class Shapes : public testing::Test {
 protected:
  Value input(const Shape& shape, DType dtype = DType::f32) {
    return b.input(concat("x", graph.inputs.size()), {dtype, shape});
  }
  template <class F>
  std::string error(const F& emit) {
    try {
      emit();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid) << error.what();
      return error.what();
    }
    return "no error";
  }

  Graph graph;
  Builder b{graph};
};

TEST_F(Shapes, BroadcastLikeNumPy) {
  EXPECT_EQ(b.shape(ops::add(b, input({kN, 1, 3}), input({5, 1}))), Shape({kN, 5, 3}));
  EXPECT_EQ(b.shape(ops::mul(b, input({kN}), 2.0)), Shape({kN}));
  EXPECT_THAT(error([&] { ops::add(b, input({kN, 4}), input({3, 4})); }),
              HasSubstr("[N, 4] and [3, 4] do not broadcast"));
}

TEST_F(Shapes, ReshapeMatchesProductsOfSymbols) {
  EXPECT_EQ(b.shape(ops::reshape(b, input({kN, 6}), {Dim(2, "N"), 3})), Shape({Dim(2, "N"), 3}));
  EXPECT_EQ(b.shape(ops::reshape(b, input({kN, kM}), {kM, kN})), Shape({kM, kN}));
  EXPECT_EQ(b.shape(ops::reshape(b, input({kN, 0}), {0, 7})), Shape({0, 7}));
  EXPECT_THAT(error([&] { ops::reshape(b, input({kN, 6}), {kM, 6}); }),
              HasSubstr("f32[N, 6] has not as many elements as [M, 6]"));
  EXPECT_THAT(error([&] { ops::reshape(b, input({4}), {Dim(int64_t{1} << 62), Dim(int64_t{1} << 62)}); }),
              HasSubstr("reshape"));
}

TEST_F(Shapes, CutAndJoinMultiplesOfASymbol) {
  const Value x = input({Dim(4, "N"), 5});
  EXPECT_EQ(b.shape(ops::slice(b, x, {1, 0}, {ops::kEnd, 3}, {2, 1})), Shape({Dim(2, "N"), 3}));
  EXPECT_EQ(b.shape(ops::pad(b, x, b.scalar(DType::f32, 0), {1, -1}, {0, 2}, {1, 0})),
            Shape({Dim(8, "N"), 6}));
  EXPECT_EQ(b.shape(ops::concat(b, {x, input({kN, 5})}, 0)), Shape({Dim(5, "N"), 5}));
  EXPECT_THAT(error([&] { ops::slice(b, x, {0, 0}, {3, 5}, {1, 1}); }),
              HasSubstr("axis 0 of f32[4*N, 5] cannot be cut from 0 to 3 by 1"));
  EXPECT_THAT(error([&] { ops::pad(b, x, b.scalar(DType::f32, 0), {1, 0}, {0, 0}, {0, 0}); }),
              HasSubstr("axis 0 of f32[4*N, 5] cannot be padded"));
  EXPECT_THAT(error([&] { ops::concat(b, {x, input({kM, 5})}, 0); }),
              HasSubstr("operand 1 f32[M, 5] cannot be joined"));
  EXPECT_THAT(error([&] { ops::slice(b, input({4}), {2}, {9}, {1}); }), HasSubstr("from 2 to 9 by 1"));
}

TEST_F(Shapes, WindowsKeepASymbolOrDivideIt) {
  const Value x = input({kN, 3, Dim(4, "H"), 8}), w = input({5, 3, 3, 3});
  EXPECT_EQ(b.shape(ops::conv_general(b, x, w, {{1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}})),
            Shape({kN, 5, Dim(4, "H"), 8}));
  EXPECT_EQ(b.shape(ops::conv_general(b, x, w, {{2, 2}, {1, 1}, {1, 1}, {1, 1}, {1, 1}})),
            Shape({kN, 5, Dim(2, "H"), 4}));
  EXPECT_THAT(error([&] { ops::conv_general(b, x, w, {{1, 1}, {0, 0}, {0, 0}, {1, 1}, {1, 1}}); }),
              HasSubstr("does not give a multiple of the symbolic dimension 4*H"));
  EXPECT_THAT(
      error([&] { ops::conv_general(b, x, input({5, 2, 3, 3}), {{1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}); }),
      HasSubstr("has not 1 groups of the channels of w f32[5, 2, 3, 3]"));
  EXPECT_THAT(error([&] { ops::conv_general(b, x, w, {{1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, 0}); }),
              HasSubstr("groups 0"));
}

TEST_F(Shapes, ContractOnlyEqualDimensions) {
  EXPECT_EQ(b.shape(ops::matmul(b, input({kN, 3, 4}), input({4, 5}))), Shape({kN, 3, 5}));
  EXPECT_EQ(b.shape(ops::matmul(b, input({2, 1, 3, 4}), input({7, 4, 5}))), Shape({2, 7, 3, 5}));
  EXPECT_EQ(b.shape(ops::matmul(b, input({4}), input({2, 4, 5}))), Shape({2, 5}));
  EXPECT_EQ(b.shape(ops::matmul(b, input({4}), input({4}))), Shape());
  EXPECT_THAT(error([&] { ops::matmul(b, input({kN, 3}), input({4, 5})); }),
              HasSubstr("contracted axes [1] of f32[N, 3] do not match [0] of f32[4, 5]"));
}

TEST_F(Shapes, NameWhatIsWrong) {
  EXPECT_THAT(error([&] { ops::exp(b, input({2}, DType::i32)); }),
              HasSubstr("exp: operand 0 must be of dtype f16, bf16, f32 or f64, found i32[2]"));
  EXPECT_THAT(error([&] { ops::add(b, input({2}), input({2}, DType::f64)); }),
              HasSubstr("add: operands 0 and 1 must have one type"));
  EXPECT_THAT(error([&] { ops::reduce(b, input({2, 3}), {1, 1}, "sum"); }),
              HasSubstr("axes must be different axes of a value of rank 2, found [1, 1]"));
  EXPECT_THAT(error([&] { ops::reduce(b, input({2, 3}), {1}, "mean"); }),
              HasSubstr("kind must be one of sum, prod, max, min, and, or, found mean"));
  EXPECT_THAT(error([&] { ops::transpose(b, input({2, 3}), {1}); }),
              HasSubstr("permutation must have 2 entries"));
  EXPECT_THAT(error([&] { ops::arg_reduce(b, input({2, 0}), 1, "max", DType::i64); }),
              HasSubstr("axis 1 of f32[2, 0] is empty"));
  EXPECT_THAT(error([&] { ops::take(b, input({2, 3}), input({4}), 0); }),
              HasSubstr("gather: operand 1 must be integers, found f32[4]"));
  EXPECT_THAT(error([&] { ops::dynamic_slice(b, input({2, 3}), input({2}, DType::i64), {3, 1}); }),
              HasSubstr("do not fit into f32[2, 3]"));
  EXPECT_THAT(error([&] { ops::broadcast_in_dim(b, input({2}), {3, 4}, {1}); }),
              HasSubstr("axis 0 of f32[2] is neither 1 nor that of [3, 4] at axis 1"));
  EXPECT_THAT(error([&] { ops::cond(b, input({2}, DType::boolean), {}, {}, {}); }),
              HasSubstr("expected a boolean scalar"));
}

// Numbers from a hostile file: refused, without overflow.
TEST_F(Shapes, RefuseHugeNumbers) {
  constexpr int64_t kHuge = INT64_MAX;
  const Value x = input({4}), zero = b.scalar(DType::f32, 0);
  EXPECT_NE(error([&] { ops::pad(b, x, zero, {kHuge}, {kHuge}, {kHuge}); }), "no error");
  EXPECT_NE(error([&] { ops::pad(b, x, zero, {INT64_MIN}, {0}, {0}); }), "no error");
  EXPECT_NE(error([&] { ops::pad(b, x, zero, {0}, {0}, {-2}); }), "no error");
  EXPECT_NE(error([&] { ops::slice(b, x, {INT64_MIN}, {kHuge}, {1}); }), "no error");
  EXPECT_NE(error([&] { ops::slice(b, x, {0}, {4}, {0}); }), "no error");
  EXPECT_NE(error([&] { ops::reduce_window(b, x, {kHuge}, {1}, {kHuge}, {kHuge}, {kHuge}, "sum"); }),
            "no error");
  EXPECT_NE(error([&] { ops::concat(b, {input({kHuge}), input({kHuge})}, 0); }), "no error");
  EXPECT_NE(
      error([&] { ops::conv_general(b, input({1, 1, kHuge}), input({1, 1, 3}), {{1}, {0}, {0}, {1}, {1}}); }),
      "no error");
  EXPECT_NE(error([&] { ops::dynamic_slice(b, x, input({1}, DType::i64), {-2}); }), "no error");
  EXPECT_NE(error([&] { ops::pad(b, input({kHuge}), zero, {0}, {2}, {2}); }), "no error");
  EXPECT_NE(error([&] { ops::pad(b, input({Dim(kHuge, "N")}), zero, {0}, {2}, {2}); }), "no error");
  constexpr int64_t kLong = int64_t{1} << 40;
  EXPECT_NE(error([&] {
              ops::conv_general(b, input({1, 1, kLong}), input({1, 1, kLong}),
                                {{1}, {0}, {0}, {kLong}, {kLong}});
            }),
            "no error");
  EXPECT_NE(error([&] { ops::reduce_window(b, x, {kLong}, {1}, {kLong}, {kLong}, {kLong}, "sum"); }),
            "no error");
}

}  // namespace
}  // namespace temper
