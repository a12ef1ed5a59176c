#include "runtime/plan.h"

#include <gtest/gtest.h>

#include "ir/builder.h"
#include "ops/composites.h"
#include "ops/primitives.h"
#include "temper/error.h"

namespace temper {
namespace {

// Takes all primitives but tanh; two neighbours make a launch.
Claim claim(const TargetFacts&, const Graph&, const Node& node) {
  if (!node.op->primitive) return {Claim::decompose, "made of others"};
  return node.op->name == "tanh" ? Claim{Claim::refuse, "no tanh here"} : Claim{Claim::kernel, "loops"};
}

Program compile_pairs(const TargetFacts&, const Graph& graph, const CompileOptions& options) {
  Program program{.target = "pairs", .graph = graph, .options = options};
  std::vector<int> computed;
  for (int i = 0; i < graph.size(); ++i)
    if (!graph.nodes()[static_cast<size_t>(i)].inputs.empty()) computed.push_back(i);
  for (size_t i = 0; i + 1 < computed.size(); i += 2)
    program.clusters.push_back({{computed[i], computed[i + 1]}, "pair"});
  return program;
}

class Pairs : public Device {
 public:
  std::string_view name() const override { return "pairs"; }
  const Target& target() const override {
    static const Target target{.name = "pairs", .claim = claim, .compile = compile_pairs};
    return target;
  }
  DeviceFacts facts() override { return {}; }
  Tensor allocate(const Type&, int64_t) override { return {}; }
  void copy(const Tensor&, Tensor&) override {}
  std::unique_ptr<Executable> load(std::shared_ptr<const Program>) override { return nullptr; }
};

NodeFate fate_of(const std::vector<NodeFate>& fates, Value value) {
  return fates[static_cast<size_t>(value.node)];
}

TEST(Plan, SaysWhereEachNodeWent) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {4}});
  b.set_default_name("first");
  const Value root = ops::sqrt(b, x);
  b.set_default_name("second");
  const Value square = ops::mul(b, root, root);
  b.set_default_name("");
  const Value soft = ops::softmax(b, square, 0);
  const Value known = ops::add(b, b.scalar(DType::f32, 1), b.scalar(DType::f32, 2));
  b.output("y", soft);
  b.output("known", known);
  Pairs device;
  const Planning planning(device, graph);
  ASSERT_FALSE(planning.refused());
  const auto program = compile(device.target(), {}, planning.numbered());
  const std::vector<NodeFate> fates = planning.fates(program.get());
  ASSERT_EQ(fates.size(), static_cast<size_t>(graph.size()));
  EXPECT_EQ(fate_of(fates, root).kind, NodeFate::fused);
  EXPECT_EQ(fate_of(fates, root).into, "second");
  EXPECT_EQ(fate_of(fates, root).why, "pair");
  EXPECT_EQ(fate_of(fates, square).kind, NodeFate::kernel);
  EXPECT_EQ(fate_of(fates, square).why, "loops");
  EXPECT_EQ(fate_of(fates, soft).kind, NodeFate::decomposed);
  EXPECT_NE(fate_of(fates, soft).into.find("exp"), std::string::npos) << fate_of(fates, soft).into;
  EXPECT_EQ(fate_of(fates, known).kind, NodeFate::fused) << "folded";
  EXPECT_EQ(planning.name_of(square.node), "second");
  EXPECT_EQ(planning.name_of(soft.node), "%" + std::to_string(soft.node));
}

// A composite is refused for what it is made of; nothing is compiled, and the error names the node.
TEST(Plan, NamesWhatIsRefused) {
  Graph graph;
  Builder b(graph);
  const Value x = b.input("x", {DType::f32, {4}});
  b.set_default_name("activation");
  const Value y = ops::gelu(b, x, true);
  b.output("y", y);
  Pairs device;
  const Planning planning(device, graph);
  EXPECT_TRUE(planning.refused());
  const NodeFate fate = fate_of(planning.fates(nullptr), y);
  EXPECT_EQ(fate.kind, NodeFate::refused);
  EXPECT_EQ(fate.why, "tanh: no tanh here");
  try {
    compile(device.target(), {}, graph);
    FAIL() << "compiled";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    EXPECT_NE(std::string(error.what()).find("activation (tanh"), std::string::npos) << error.what();
  }
}

class Launches : public Executable {
 public:
  explicit Launches(std::vector<LaunchProfile> launches, Program program = {})
      : program_(std::move(program)), launches_(std::move(launches)) {}
  const Program& program() const override { return program_; }
  std::unique_ptr<Context> make_context(std::shared_ptr<Arena>) const override { return nullptr; }
  std::vector<LaunchProfile> launches() const override { return launches_; }
  void run(Context&, std::span<Tensor>, std::span<Tensor>) const override {}

 private:
  Program program_;
  std::vector<LaunchProfile> launches_;
};

TEST(Plan, PredictsFromPeaks) {
  const Launches launches({{.flops = 1000, .bytes = 10}, {.flops = 10, .bytes = 1000}});
  DeviceFacts facts;
  EXPECT_FALSE(predicted_seconds(launches, facts));
  facts.peak_flops = 100;
  facts.peak_bytes_per_second = 50;
  EXPECT_DOUBLE_EQ(*predicted_seconds(launches, facts), 10 + 20);
  // A device that fuses by itself: 64 additions at 100 a second, 3 x 256 bytes at 50.
  Program whole;
  Builder b(whole.graph);
  const Value x = b.input("x", {DType::f32, {64}});
  b.output("y", ops::add(b, x, x));
  whole.memory = {.arguments = 256, .outputs = 256, .temporaries = 128};
  EXPECT_DOUBLE_EQ(*predicted_seconds(Launches({}, whole), facts), 768 / 50.0);
}

}  // namespace
}  // namespace temper
