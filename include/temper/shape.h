#pragma once
// Shapes. A dimension is a constant times at most one symbol: 32, N, 2*N.
#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "temper/dtype.h"
#include "temper/export.h"

namespace temper {

class TEMPER_API Dim {
 public:
  Dim(int64_t size = 0) : factor_(size) {}  // a number is a dimension
  Dim(int64_t factor, std::string_view symbol);
  static Dim symbol(std::string_view name) { return Dim(1, name); }

  bool is_static() const { return symbol_ == 0; }
  int64_t size() const;                       // throws internal if symbolic
  int64_t factor() const { return factor_; }  // the constant part
  std::string_view symbol_name() const;       // empty if static

  friend bool operator==(const Dim&, const Dim&) = default;

 private:
  int64_t factor_;
  uint32_t symbol_ = 0;  // index into a process-wide table of names; 0 is none
};

TEMPER_API std::string to_string(const Dim& dim);  // "32", "N", "2*N"

class TEMPER_API Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<Dim> dims) : dims_(dims) {}
  explicit Shape(std::vector<Dim> dims) : dims_(std::move(dims)) {}
  static Shape of(const std::vector<int64_t>& sizes);

  int rank() const { return static_cast<int>(dims_.size()); }
  const Dim& operator[](int axis) const { return dims_[static_cast<size_t>(axis)]; }
  Dim& operator[](int axis) { return dims_[static_cast<size_t>(axis)]; }
  const std::vector<Dim>& dims() const { return dims_; }
  auto begin() const { return dims_.begin(); }
  auto end() const { return dims_.end(); }
  void push_back(Dim dim) { dims_.push_back(dim); }

  bool is_static() const;
  int64_t size(int axis) const { return dims_[static_cast<size_t>(axis)].size(); }
  int64_t elements() const;            // product; 1 for rank 0; throws if symbolic or over 2^62
  std::vector<int64_t> sizes() const;  // throws if symbolic

  friend bool operator==(const Shape&, const Shape&) = default;

 private:
  std::vector<Dim> dims_;
};

TEMPER_API std::string to_string(const Shape& shape);  // "[N, 3, 224, 224]"

using SymbolSizes = std::map<std::string, int64_t, std::less<>>;
TEMPER_API Shape specialise(const Shape& shape, const SymbolSizes& sizes);  // symbols not named stay

struct TEMPER_API Type {
  DType dtype = DType::f32;
  Shape shape;
  friend bool operator==(const Type&, const Type&) = default;
};

TEMPER_API std::string to_string(const Type& type);  // "f32[N, 10]"
TEMPER_API int64_t byte_size(const Type& type);      // of a static type, row-major and dense

}  // namespace temper
