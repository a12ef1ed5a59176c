#pragma once
// One kernel as C-like text in the words of codegen/dialect.h.
#include <array>

#include "ir/attributes.h"

namespace temper {

// A kernel takes, for each operand, where its memory begins and how many bytes further the operand does; then
// numbers.
struct KernelText {
  std::string kind;              // a word for its name: "map"
  std::string text;              // parameters and body: what follows the name
  int64_t groups = 1;            // how many groups are launched
  int lanes = 1;                 // items of a group
  std::vector<int64_t> numbers;  // the values of its last parameters, each an i64
};

inline constexpr int kLanes = 128;  // of kernels whose items know nothing of each other
int64_t groups_of(int64_t items, int lanes = kLanes);

// Elements as they lie in memory and as they are computed with.
bool has_element_text(DType dtype);                            // whether kernels can hold it
std::string_view stored_text(DType dtype);                     // "u16" for f16
std::string_view computed_text(DType dtype);                   // "f32" for f16
std::string_view unsigned_text(int bits);                      // "u32"
DType raw_dtype(DType dtype);                                  // the unsigned integer as wide: for moves
std::string load_text(DType dtype, std::string_view element);  // as computed with
std::string store_text(DType dtype, std::string_view value);   // as stored
std::string literal_text(DType dtype, double real, int64_t integer);  // as computed with

class KernelWriter {
 public:
  // `reads` are called x0, x1 ...; `writes` y0, y1 ...; `numbers` n0, n1 ... No index is larger than
  // `largest`.
  KernelWriter(std::string kind, std::vector<DType> reads, std::vector<DType> writes, int64_t largest,
               size_t numbers = 0);

  std::string_view index() const { return index_; }  // the type of indices

  template <class... Parts>
  void line(const Parts&... parts) {
    body_.append(static_cast<size_t>(depth_) * 2, ' ');
    body_ += concat(parts..., "\n");
  }
  template <class... Parts>
  void open(const Parts&... parts) {
    line(parts..., " {");
    ++depth_;
  }
  void close() {
    --depth_;
    line("}");
  }

  std::string load(size_t read, std::string_view index) const;
  void store(size_t write, std::string_view index, std::string_view value);
  // i, the number of this item, and nothing more if there are fewer than `count`, a number or a name.
  void item(std::string_view count);
  // Names of the coordinates that the number `index` has in `sizes`: "0" along axes of size 1.
  std::vector<std::string> coordinates(std::string_view index, const Ints& sizes, std::string_view prefix);

  KernelText finish(int64_t groups, int lanes, std::vector<int64_t> numbers = {});

 private:
  std::string kind_, parameters_, body_;
  std::string_view index_;
  std::vector<DType> reads_, writes_;
  int depth_ = 1;
};

std::string literal(int64_t number);  // an index
// "c0 * 12 + c1 + 3"
std::string linear_text(const std::vector<std::string>& coordinates, const Ints& strides, int64_t base = 0);
Ints dense_strides(const Ints& sizes);
int64_t product_of(const Ints& sizes);

}  // namespace temper
