#include "devices/opencl/tiles.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include "base/text.h"
#include "ops/composites.h"
#include "ops/primitives.h"
#include "runtime/compile.h"
#include "runtime/program_cache.h"
#include "target/cost.h"

namespace temper::opencl {

namespace {

using Clock = std::chrono::steady_clock;

// Three numbers: rows, columns, unrolled; or side, each, inner.
struct Sizes {
  int64_t a, b, c;
};

std::optional<Sizes> parse_sizes(std::string_view text) {
  const std::vector<std::string_view> words = split(text, 'x');
  Sizes sizes{};
  if (words.size() != 3 || !parse_number(words[0], sizes.a) || !parse_number(words[1], sizes.b) ||
      !parse_number(words[2], sizes.c))
    return std::nullopt;
  constexpr int64_t kMost = 256;
  const bool sane =
      std::min({sizes.a, sizes.b, sizes.c}) > 0 && std::max({sizes.a, sizes.b, sizes.c}) <= kMost;
  return sane ? std::optional(sizes) : std::nullopt;
}

std::string fact_text(const std::string& products, const std::string& convolutions) {
  return concat("products ", products, ", convolutions ", convolutions);
}

std::optional<Sizes> sizes_in(std::string_view fact, bool convolution) {
  const std::string_view name = convolution ? "convolutions " : "products ";
  const size_t at = fact.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = fact.substr(at + name.size());
  return parse_sizes(rest.substr(0, rest.find(',')));
}

std::string fact(const TargetFacts& facts, std::string_view name) {
  const auto found = facts.facts.find(name);
  return found == facts.facts.end() ? std::string() : found->second;
}

Graph product_graph() {
  constexpr int64_t kSize = 512;
  Graph graph;
  Builder b(graph);
  const Type type{DType::f32, {kSize, kSize}};
  const Value x = b.input("x", type), y = b.input("y", type);
  b.output("z", ops::matmul(b, x, y));
  return graph;
}

Graph convolution_graph() {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {4, 64, 28, 28}}), w = b.input("w", {DType::f32, {64, 64, 3, 3}});
  b.output("y", ops::conv_general(b, x, w, {{1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, 1, 1}));
  return graph;
}

double best_seconds(Device& device, const Graph& graph) {
  constexpr int kRuns = 3;
  const std::unique_ptr<Executable> executable = compile(device, graph);
  const std::unique_ptr<Context> context = executable->make_context();
  std::vector<Tensor> arguments, results(executable->program().outputs.size());
  for (const Argument& input : executable->program().inputs)
    arguments.push_back(upload(device, Tensor(input.type), input));
  double best = std::numeric_limits<double>::infinity();
  for (int run = 0; run <= kRuns; ++run) {
    const auto start = Clock::now();
    executable->run(*context, arguments, results);
    if (run > 0) best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

ProgramCache cache_of(const TargetFacts& facts) {
  std::string key = "tiles 1\n";
  for (const char* name : {"platform", "device", "version", "driver", "units", "type", "vector"})
    key += concat(name, " ", fact(facts, name), "\n");
  return {"opencl-tiles", key};
}

class Tuning {
 public:
  Tuning(Device& device, const std::function<void(const std::string&)>& set)
      : device_(device), set_(set), candidates_(tile_candidates(device.facts().target)) {}

  std::string run() {
    const std::string& first = candidates_[0];
    std::string best[2] = {first, first};
    for (const bool convolution : {false, true}) {
      const Graph graph = convolution ? convolution_graph() : product_graph();
      double least = std::numeric_limits<double>::infinity();
      for (const std::string& text : candidates_) {
        set_(fact_text(text, text));
        const double seconds = measured(graph);
        constexpr double kClear = 0.95;  // less is chance: what is taken first stays
        if (seconds < (text == first ? 1 : kClear) * least) least = seconds, best[convolution] = text;
        if (out_of_time(convolution)) break;
      }
    }
    const std::string chosen = fact_text(best[0], best[1]);
    set_(chosen);
    return chosen;
  }

 private:
  double measured(const Graph& graph) {
    try {
      return best_seconds(device_, graph);
    } catch (const Error&) {  // the device lacks memory or registers for it
      return std::numeric_limits<double>::infinity();
    }
  }

  bool out_of_time(bool convolution) const {
    constexpr double kSeconds = 4;  // half of them for each
    return std::chrono::duration<double>(Clock::now() - start_).count() > kSeconds * (convolution ? 1 : 0.5);
  }

  Device& device_;
  const std::function<void(const std::string&)>& set_;
  std::vector<std::string> candidates_;
  Clock::time_point start_ = Clock::now();
};

}  // namespace

Tiles tiles_of(const TargetFacts& facts, bool convolution) {
  Tiles tiles;
  int64_t width = 4;
  parse_number(fact(facts, "vector"), width);
  tiles.vectors.width = static_cast<int>(std::clamp<int64_t>(width, 2, 16));
  if (tiles.vectors.width < 16) tiles.vectors.unrolled = 4;  // fewer registers, too
  const std::optional<Sizes> sizes = sizes_in(fact(facts, kTilesFact), convolution);
  if (!sizes) return tiles;
  tiles.vectors.rows = static_cast<int>(sizes->a), tiles.vectors.columns = static_cast<int>(sizes->b);
  tiles.vectors.unrolled = static_cast<int>(sizes->c);
  tiles.groups = {static_cast<int>(sizes->a), static_cast<int>(sizes->b), static_cast<int>(sizes->c)};
  return tiles;
}

std::vector<std::string> tile_candidates(const TargetFacts& facts) {
  if (fact(facts, "type") != "cpu") return {"16x4x16", "16x2x16", "8x4x16", "8x8x8", "16x8x8"};
  const int usual = tiles_of({.facts = {{"vector", fact(facts, "vector")}}}, false).vectors.unrolled;
  std::vector<std::string> all;
  for (const char* rows_and_columns : {"64x64", "32x64", "128x64", "64x128"})
    all.push_back(concat(rows_and_columns, "x", usual));
  all.push_back(concat("64x64x", usual == 4 ? 8 : 4));
  return all;
}

bool is_worth_tuning(const Graph& graph) {
  constexpr int64_t kLarge = int64_t{1} << 28;  // of 512 x 512 x 512
  return std::ranges::any_of(graph.nodes(), [&](const Node& node) {
    if (std::ranges::any_of(node.regions, is_worth_tuning)) return true;
    const bool product = node.op->name == "dot_general" || node.op->name == "conv_general";
    return product && flops(graph, node) >= kLarge && product_of_node(graph, node);
  });
}

std::optional<std::string> remembered_tiles(const TargetFacts& facts) {
  std::optional<std::string> found = cache_of(facts).find();
  if (!found || !sizes_in(*found, false) || !sizes_in(*found, true)) return std::nullopt;
  return found;
}

void remember_tiles(const TargetFacts& facts, const std::string& tiles) { cache_of(facts).keep(tiles); }

std::optional<std::string> tune_tiles(Device& device, const std::function<void(const std::string&)>& set) {
  const TargetFacts facts = device.facts().target;
  if (!cache_of(facts).keeps()) return std::nullopt;
  std::string chosen = Tuning(device, set).run();
  remember_tiles(facts, chosen);
  return chosen;
}

}  // namespace temper::opencl
