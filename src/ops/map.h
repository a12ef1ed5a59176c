#pragma once
// What the rows of elementwise ops share.
#include "ops/array.h"
#include "ops/composite.h"
#include "ops/samples.h"
#include "ops/shape_rules.h"

namespace temper {

// The values for which an elementwise op is tried: every rank, an odd length, none at all, every float width.
std::vector<Sample> map_samples(size_t operands, const std::vector<Fill>& fills);
// The same for integers (or booleans) alone.
std::vector<Sample> integer_samples(size_t operands, const std::vector<Fill>& fills,
                                    std::initializer_list<DType> dtypes);
std::vector<Sample> operator+(std::vector<Sample> a, const std::vector<Sample>& b);

}  // namespace temper
