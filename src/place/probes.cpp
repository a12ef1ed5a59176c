#include "place/probes.h"

#include "base/text.h"
#include "ops/composites.h"
#include "ops/primitives.h"
#include "place/probe_list.h"

namespace temper {
namespace {

class LayerProbes : public ProbeList {
 public:
  std::vector<Probe> all() {
    dense();
    attention();
    maps();
    norms();
    pools();
    updates();
    return take();
  }

 private:
  // [rows, in] by weights, as they are and turned as gradients have them.
  void dense() {
    struct Size {
      int64_t rows, in, out;
    };
    for (const Size& s : {Size{1, 700, 900},
                          {1, 2048, 2048},
                          {8, 700, 90},
                          {8, 3000, 700},
                          {8, 2048, 512},
                          {32, 700, 900},
                          {32, 150, 12},
                          {128, 300, 300},
                          {300, 256, 1024},
                          {300, 1024, 256}}) {
      Probe& probe = add(concat("dense ", s.rows, " ", s.in, " ", s.out), [&](Builder& b) {
        const Value x = b.input("x", f32({s.rows, s.in})), w = b.input("w", f32({s.out, s.in}));
        const Value y = ops::dot_general(b, x, w, {.x_contract = {1}, .y_contract = {1}});
        return ops::relu(b, ops::add(b, y, b.input("bias", f32({s.out}))));
      });
      probe.cold = s.in * s.out > 300'000;
    }
    for (const Size& s : {Size{8, 2048, 512}, {32, 700, 900}, {300, 256, 1024}})
      add(concat("dense gradient ", s.rows, " ", s.in, " ", s.out), [&](Builder& b) {
        const Value x = b.input("x", f32({s.rows, s.in})), dy = b.input("dy", f32({s.rows, s.out}));
        return ops::dot_general(b, dy, x, {.x_contract = {0}, .y_contract = {0}});
      }).infers = false;
  }

  void attention() {
    struct Size {
      int64_t heads, rows, width;
    };
    for (const Size& s : {Size{6, 100, 48}, {24, 100, 48}, {12, 60, 80}})
      add(concat("attention ", s.heads, " ", s.rows, " ", s.width), [&](Builder& b) {
        const Type type = f32({s.heads, s.rows, s.width});
        const Value q = b.input("q", type), k = b.input("k", type), v = b.input("v", type);
        const Value scores =
            ops::dot_general(b, q, k, {.x_batch = {0}, .y_batch = {0}, .x_contract = {2}, .y_contract = {2}});
        return ops::dot_general(b, ops::softmax(b, scores, 2), v,
                                {.x_batch = {0}, .y_batch = {0}, .x_contract = {2}, .y_contract = {1}});
      });
  }

  void maps() {
    for (const int64_t count :
         {int64_t{1}, int64_t{1} << 12, int64_t{1} << 16, int64_t{1} << 19, int64_t{1} << 22})
      add(concat("map ", count), [&](Builder& b) {
        const Value x = b.input("x", f32({count})), y = b.input("y", f32({count}));
        return ops::relu(b, ops::add(b, ops::mul(b, x, y), y));
      });
    for (const int64_t count : {1 << 14, 1 << 18, 1 << 20}) {
      add(concat("function ", count), [&](Builder& b) { return ops::tanh(b, b.input("x", f32({count}))); });
      add(concat("gelu ", count),
          [&](Builder& b) { return ops::gelu(b, ops::mul(b, b.input("x", f32({count})), 0.5), false); });
    }
    for (const int64_t rows : {30, 500, 5000})
      add(concat("softmax ", rows),
          [&](Builder& b) { return ops::softmax(b, b.input("x", f32({rows, 120})), 1); });
    for (const int64_t rows : {500, 5000})
      add(concat("softmax gradient ", rows), [&](Builder& b) {
        const Type type = f32({rows, 120});
        return ops::softmax_grad(b, b.input("y", type), b.input("dy", type), 1);
      }).infers = false;
    for (const int64_t rows : {60, 500})
      add(concat("scatter ", rows), [&](Builder& b) {
        const Value ids = b.input("ids", {DType::i64, {rows, 1}}), dy = b.input("dy", f32({rows, 200}));
        const ops::ScatterDims dims{.update_window_dims = {1},
                                    .inserted_window_dims = {0},
                                    .scatter_dims_to_operand_dims = {0},
                                    .index_vector_dim = 1};
        return ops::scatter(b, ops::zeros(b, f32({3000, 200})), ids, dy, dims, "add");
      }).infers = false;
    for (const int64_t rows : {60, 1500})
      add(concat("transpose ", rows), [&](Builder& b) {
        return ops::neg(b, ops::transpose(b, b.input("x", f32({8, rows, 90})), {0, 2, 1}));
      });
    for (const int64_t rows : {60, 1500})
      add(concat("embedding ", rows), [&](Builder& b) {
        const Value ids = b.input("ids", {DType::i64, {rows}});
        return ops::embedding(b, b.input("table", f32({3000, 200})), ids);
      });
  }

  void norms() {
    for (const int64_t rows : {60, 1000})
      add(concat("layer norm ", rows), [&](Builder& b) {
        const Value x = b.input("x", f32({rows, 300}));
        return ops::layer_norm(b, x, b.input("scale", f32({300})), b.input("bias", f32({300})), 1, 1e-5).y;
      });
    for (const int64_t rows : {60, 1000})
      add(concat("layer norm gradient ", rows), [&](Builder& b) {
        const Value x = b.input("x", f32({rows, 300})), mean = b.input("mean", f32({rows, 1}));
        const ops::LayerNormGrads grads =
            ops::layer_norm_grad(b, x, b.input("scale", f32({300})), mean, b.input("rstd", f32({rows, 1})),
                                 b.input("dy", f32({rows, 300})), 1);
        b.output("dscale", grads.dscale);
        b.output("dbias", grads.dbias);
        return grads.dx;
      }).infers = false;
    for (const auto& [channels, side] : {std::pair{64, 60}, {120, 30}, {512, 8}}) batch_norm(channels, side);
  }

  // Pictures as a layer leaves them: laid out as the device wants it.
  static Value pictures(Builder& b, const std::string& name, int64_t batch, int64_t channels, int64_t side) {
    const Value x = b.input(name, f32({batch, 8, side, side})),
                w = b.input(name + ".weight", f32({channels, 8, 1, 1}));
    return ops::conv2d(b, x, w, {}, {});
  }

  // Each several times, one after the other.
  void batch_norm(int64_t channels, int64_t side) {
    constexpr int64_t kBatch = 4;
    constexpr int kTimes = 3;
    const Type one = f32({channels});
    const std::string size = concat(channels, " ", side);
    const auto repeat = [&](const std::string& name, const auto& norm) {
      add(concat(name, " ", size), [&](Builder& b) {
        const Value x = pictures(b, "x", kBatch, channels, side),
                    dy = pictures(b, "dy", kBatch, channels, side);
        Value y = x;
        for (int i = 0; i < kTimes; ++i) y = norm(b, concat(i), y, dy);
        return ops::reduce_mean(b, y, {2, 3});
      }).infers = false;
    };
    const auto vector = [one](Builder& b, const std::string& name) { return b.input(name, one); };
    const ops::NormActivation relu{.epsilon = 1e-5, .low = 0};
    repeat("batch norm", [&](Builder& b, const std::string& i, Value x, Value) {
      const ops::BatchNormResult norm =
          ops::batch_norm_train(b, x, vector(b, "scale" + i), vector(b, "bias" + i), 1e-5);
      b.output("mean" + i, norm.mean);
      b.output("variance" + i, norm.variance);
      return norm.y;
    });
    repeat("batch norm and activation", [&](Builder& b, const std::string& i, Value x, Value) {
      const ops::BatchNormResult norm =
          ops::batch_norm_act_train(b, x, vector(b, "scale" + i), vector(b, "bias" + i), {}, relu);
      b.output("mean" + i, norm.mean);
      b.output("variance" + i, norm.variance);
      return norm.y;
    });
    repeat("batch norm gradient", [&](Builder& b, const std::string& i, Value dy, Value x) {
      const ops::BatchNormGrads grads = ops::batch_norm_grad(
          b, x, vector(b, "scale" + i), vector(b, "mean" + i), vector(b, "variance" + i), dy, 1e-5);
      b.output("dscale" + i, grads.dscale);
      b.output("dbias" + i, grads.dbias);
      return grads.dx;
    });
    repeat("batch norm and activation gradient", [&](Builder& b, const std::string& i, Value dy, Value x) {
      const ops::BatchNormActGrads grads =
          ops::batch_norm_act_grad(b, x, vector(b, "scale" + i), vector(b, "bias" + i), vector(b, "mean" + i),
                                   vector(b, "variance" + i), dy, {}, relu);
      b.output("dscale" + i, grads.dscale);
      b.output("dbias" + i, grads.dbias);
      return grads.dx;
    });
  }

  void pools() {
    const ops::Pool2d even{.window = {2, 2}, .strides = {2, 2}},
        odd{.window = {3, 3}, .strides = {2, 2}, .low = {1, 1}, .high = {1, 1}};
    for (const auto& [batch, channels, side] : {std::tuple{1, 64, 100}, {8, 24, 40}}) {
      const std::string size = concat(batch, " ", channels, " ", side);
      const auto whole = [&](Builder& b) { return pictures(b, "x", batch, channels, side); };
      add("max pool " + size, [&](Builder& b) {
        const Value x = whole(b);
        b.output("odd", ops::max_pool(b, x, odd));
        return ops::max_pool(b, x, even);
      });
      add("average pool " + size, [&](Builder& b) {
        const Value x = whole(b);
        b.output("odd", ops::avg_pool(b, x, odd, false));
        return ops::avg_pool(b, x, even, false);
      });
      add("max pool gradient " + size, [&](Builder& b) {
        const Value x = whole(b), dy = pictures(b, "dy", batch, channels, side / 2);
        const Value both = ops::add(b, ops::max_pool_grad(b, x, dy, odd), ops::max_pool_grad(b, x, dy, even));
        return ops::reduce_mean(b, both, {2, 3});
      }).infers = false;
      const Type type = f32({batch, channels, side, side});
      add("mean " + size, [&](Builder& b) { return ops::reduce_mean(b, b.input("x", type), {2, 3}); });
      add("sum " + size, [&](Builder& b) { return ops::reduce_sum(b, b.input("x", type), {0, 2, 3}); });
    }
  }

  // A momentum step: three operands, two results.
  void updates() {
    for (const int64_t count : {3000, 300'000, 3'000'000})
      add(concat("update ", count), [&](Builder& b) {
        const Type type = f32({count});
        const Value w = b.input("w", type), m = b.input("m", type), g = b.input("g", type);
        const Value next = ops::add(b, ops::mul(b, m, 0.9), g);
        b.output("m", next);
        return ops::sub(b, w, ops::mul(b, next, 0.01));
      }).infers = false;
  }
};

}  // namespace

std::vector<Probe> probes() {
  std::vector<Probe> all = convolution_probes();
  for (Probe& probe : LayerProbes().all()) all.push_back(std::move(probe));
  return all;
}

Graph sum_probe(int64_t elements) {
  Graph graph;
  Builder b(graph);
  b.output("y", ops::add(b, b.input("x", f32({elements})), 1));
  return graph;
}

}  // namespace temper
