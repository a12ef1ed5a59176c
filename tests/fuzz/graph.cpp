// The text form of graphs: any bytes are parsed or refused; what parses prints and parses again to the same
// graph.
// Covers: src/ir/parse.cpp
#include <cstdlib>
#include <string_view>

#include "fuzz/refused.h"
#include "ir/text.h"
#include "ops/registry.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const temper::Graph graph = temper::parse_graph(text);
    if (!temper::same(graph, temper::parse_graph(temper::print(graph)))) std::abort();
  } catch (const temper::Error& error) {
    if (error.kind() != temper::ErrorKind::corrupt) std::abort();
    temper::refused(error);
  }
  return 0;
}
