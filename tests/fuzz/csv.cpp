// Tables.
// Covers: src/data/csv.cpp
#include "data/csv.h"

#include <cstdint>

#include "fuzz/refused.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const temper::Csv csv = temper::parse_csv({reinterpret_cast<const char*>(data), size});
    for (size_t row = 0; row < csv.rows(); ++row) (void)csv.number(row, csv.columns() - 1);
  } catch (const temper::Error& error) {
    temper::refused(error);
  }
  return 0;
}
