#include "base/hash.h"

#include <gtest/gtest.h>

#include "base/philox.h"

namespace temper {
namespace {

// Vectors of the XXH64 specification's sanity checks and of the reference programs.
TEST(Hash, AgreesWithPublishedValues) {
  EXPECT_EQ(hash_bytes(""), 0xEF46DB3751D8E999U);
  EXPECT_EQ(hash_bytes("a"), 0xD24EC4F1A98C6E5BU);
  EXPECT_EQ(hash_bytes("abc"), 0x44BC2CF5AD770999U);
  EXPECT_EQ(hash_bytes("Nobody inspects the spammish repetition"), 0xFBCEA83C8A378BF1U);
}

TEST(Hash, IsTheSameInPieces) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += static_cast<char>(i * 7);
  for (size_t first = 0; first <= text.size(); ++first) {
    for (const size_t second : {first, (first + text.size()) / 2, text.size()}) {
      const std::string_view view = text;
      Hasher pieces(5);
      pieces.add(view.substr(0, first)).add(view.substr(first, second - first)).add(view.substr(second));
      ASSERT_EQ(pieces.digest(), hash_bytes(text, 5)) << first << " " << second;
    }
  }
  EXPECT_NE(hash_bytes(text, 5), hash_bytes(text, 6));
}

// Vectors of the Random123 distribution (kat_vectors, philox4x32 10).
TEST(Philox, AgreesWithPublishedVectors) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (PhiloxCounter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~0U, ~0U, ~0U, ~0U}, {~0U, ~0U}),
            (PhiloxCounter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

}  // namespace
}  // namespace temper
