#pragma once
#include <string>

namespace temper {

// docs/ops.md: what every row of the op table means, made from the row, its samples and the CPU's claims.
std::string ops_reference();

}  // namespace temper
