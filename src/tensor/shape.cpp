#include "temper/shape.h"

#include <algorithm>
#include <deque>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

#include "base/check.h"

namespace temper {
namespace {

constexpr int64_t kMaxElements = int64_t{1} << 62;

// Names of symbols, once per process; a deque keeps its strings where they are.
class SymbolTable {
 public:
  uint32_t index_of(std::string_view name) {
    {
      std::shared_lock lock(mutex_);
      if (const auto found = indices_.find(name); found != indices_.end()) return found->second;
    }
    std::unique_lock lock(mutex_);
    if (const auto found = indices_.find(name); found != indices_.end()) return found->second;
    names_.emplace_back(name);
    const auto index = static_cast<uint32_t>(names_.size());
    indices_.emplace(names_.back(), index);
    return index;
  }

  std::string_view name_of(uint32_t index) {
    std::shared_lock lock(mutex_);
    return names_[index - 1];
  }

 private:
  std::shared_mutex mutex_;
  std::deque<std::string> names_;
  std::unordered_map<std::string_view, uint32_t> indices_;
};

SymbolTable& symbols() {
  static SymbolTable table;
  return table;
}

int64_t checked_product(int64_t a, int64_t b, const Shape& shape) {
  int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product) || product > kMaxElements) {
    throw Error(ErrorKind::invalid, concat("shape ", to_string(shape), " holds more than 2^62 elements"));
  }
  return product;
}

void check_not_negative(int64_t size, const Shape& shape) {
  if (size < 0)
    throw Error(ErrorKind::invalid, concat("shape ", to_string(shape), " has a negative dimension"));
}

}  // namespace

Dim::Dim(int64_t factor, std::string_view symbol) : factor_(factor) {
  TEMPER_CHECK(!symbol.empty());
  if (factor < 0) {
    throw Error(ErrorKind::invalid, concat("dimension ", factor, "*", symbol, " is negative"));
  }
  if (factor > 0) symbol_ = symbols().index_of(symbol);
}

int64_t Dim::size() const {
  TEMPER_CHECK(is_static(), "dimension ", to_string(*this), " has no fixed size");
  return factor_;
}

std::string_view Dim::symbol_name() const {
  return is_static() ? std::string_view() : symbols().name_of(symbol_);
}

std::string to_string(const Dim& dim) {
  if (dim.is_static()) return concat(dim.factor());
  return dim.factor() == 1 ? std::string(dim.symbol_name()) : concat(dim.factor(), "*", dim.symbol_name());
}

Shape Shape::of(const std::vector<int64_t>& sizes) {
  Shape shape(std::vector<Dim>(sizes.begin(), sizes.end()));
  for (const int64_t size : sizes) check_not_negative(size, shape);
  return shape;
}

bool Shape::is_static() const {
  return std::all_of(dims_.begin(), dims_.end(), [](const Dim& dim) { return dim.is_static(); });
}

int64_t Shape::elements() const {
  bool any_zero = false;
  for (const Dim& dim : dims_) {
    check_not_negative(dim.size(), *this);
    any_zero |= dim.size() == 0;
  }
  if (any_zero) return 0;
  int64_t product = 1;
  for (const Dim& dim : dims_) product = checked_product(product, dim.size(), *this);
  return product;
}

std::vector<int64_t> Shape::sizes() const {
  std::vector<int64_t> sizes;
  sizes.reserve(dims_.size());
  for (const Dim& dim : dims_) sizes.push_back(dim.size());
  return sizes;
}

std::string to_string(const Shape& shape) {
  std::string out = "[";
  for (int axis = 0; axis < shape.rank(); ++axis) out += (axis ? ", " : "") + to_string(shape[axis]);
  return out + "]";
}

Shape specialise(const Shape& shape, const SymbolSizes& sizes) {
  std::vector<Dim> dims = shape.dims();
  for (Dim& dim : dims) {
    if (dim.is_static()) continue;
    const auto found = sizes.find(dim.symbol_name());
    if (found == sizes.end()) continue;
    if (found->second < 0) {
      throw Error(ErrorKind::invalid,
                  concat("expected a size of at least 0 for ", found->first, ", found ", found->second));
    }
    dim = Dim(checked_product(dim.factor(), found->second, shape));
  }
  return Shape(std::move(dims));
}

std::string to_string(const Type& type) { return concat(to_string(type.dtype), to_string(type.shape)); }

int64_t byte_size(const Type& type) { return byte_size(type.dtype, type.shape.elements()); }

}  // namespace temper
