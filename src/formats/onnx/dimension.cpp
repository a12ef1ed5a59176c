// Arithmetic on dimensions, each a constant times at most one symbol.
#include <map>

#include "formats/onnx/known.h"

namespace temper::onnx {

static std::optional<Dim> make(int64_t factor, std::string_view symbol) {
  if (symbol.empty() || factor == 0) return Dim(factor);
  if (factor < 0) return {};
  return Dim(factor, symbol);
}

std::optional<Dim> multiply(const Dim& a, const Dim& b) {
  int64_t factor = 0;
  if (__builtin_mul_overflow(a.factor(), b.factor(), &factor)) return {};
  if (!a.is_static() && !b.is_static()) return {};
  return make(factor, a.is_static() ? b.symbol_name() : a.symbol_name());
}

std::optional<Dim> divide(const Dim& a, const Dim& b) {
  if (b.factor() == 0 || (a.factor() == INT64_MIN && b.factor() == -1)) return {};
  if (a.is_static() && b.is_static()) return Dim(a.factor() / b.factor());
  if (a.is_static()) return a.factor() == 0 ? std::optional<Dim>(0) : std::nullopt;
  if (a.factor() % b.factor() != 0) return {};
  if (b.is_static()) return make(a.factor() / b.factor(), a.symbol_name());
  if (a.symbol_name() != b.symbol_name()) return {};
  return Dim(a.factor() / b.factor());
}

std::optional<Dim> ratio(std::span<const Dim> a, std::span<const Dim> b) {
  int64_t above = 1, below = 1;
  std::map<std::string_view, int> symbols;
  const auto count = [&](std::span<const Dim> dims, int64_t& product, int sign) {
    for (const Dim& dim : dims) {
      if (__builtin_mul_overflow(product, dim.factor(), &product)) return false;
      if (!dim.is_static()) symbols[dim.symbol_name()] += sign;
    }
    return true;
  };
  if (!count(a, above, 1) || !count(b, below, -1) || below == 0 || above % below != 0) return {};
  std::string_view symbol;
  for (const auto& [name, power] : symbols) {
    if (power == 0) continue;
    if (power != 1 || !symbol.empty()) return {};
    symbol = name;
  }
  return make(above / below, symbol);
}

}  // namespace temper::onnx
