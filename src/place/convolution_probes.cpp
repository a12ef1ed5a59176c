// Convolutions and their gradients.
#include "base/text.h"
#include "ops/composites.h"
#include "ops/primitives.h"
#include "place/probe_list.h"

namespace temper {
namespace {

class ConvolutionProbes : public ProbeList {
 public:
  std::vector<Probe> all() {
    pointwise();
    windows();
    depthwise();
    gradients();
    return take();
  }

 private:
  static Value layer(Builder& b, Value x, int64_t out, int64_t window, int64_t stride, int64_t groups,
                     const std::string& name) {
    const Shape& shape = b.graph().type(x).shape;
    const Value w = b.input(name + ".weight", f32({out, shape.size(1) / groups, window, window})),
                bias = b.input(name + ".bias", f32({out}));
    const int64_t around = window / 2;
    return ops::relu(b, ops::conv2d(b, x, w, bias,
                                    {.strides = {stride, stride},
                                     .low = {around, around},
                                     .high = {around, around},
                                     .groups = groups}));
  }

  // From few channels to many and back.
  void pointwise() {
    struct Size {
      int64_t batch, narrow, wide, side;
    };
    for (const Size& s : {Size{1, 20, 120, 60},
                          {1, 64, 256, 30},
                          {8, 64, 256, 30},
                          {8, 80, 480, 15},
                          {1, 144, 864, 8},
                          {1, 128, 512, 15},
                          {1, 512, 2048, 8},
                          {4, 512, 2048, 8}})
      add(concat("pointwise ", s.batch, " ", s.narrow, " ", s.wide, " ", s.side), [&](Builder& b) {
        const Value x = b.input("x", f32({s.batch, s.narrow, s.side, s.side}));
        return layer(b, layer(b, x, s.wide, 1, 1, 1, "expand"), s.narrow, 1, 1, 1, "project");
      }).cold = s.narrow > 100;
  }

  void windows() {
    struct Size {
      int64_t batch, in, out, side, window, stride;
    };
    for (const Size& s : {Size{1, 3, 64, 200, 7, 2},
                          {1, 3, 40, 200, 3, 2},
                          {8, 3, 24, 40, 3, 1},
                          {1, 64, 64, 60, 3, 1},
                          {8, 32, 64, 20, 3, 1},
                          {1, 128, 128, 30, 3, 1},
                          {8, 96, 96, 15, 3, 1},
                          {1, 256, 256, 15, 3, 1},
                          {1, 512, 512, 8, 3, 1},
                          {8, 512, 512, 4, 3, 1},
                          {1, 64, 128, 60, 3, 2},
                          {1, 256, 512, 15, 3, 2},
                          {1, 64, 128, 60, 1, 2},
                          {1, 256, 512, 15, 1, 2},
                          {8, 16, 32, 30, 5, 1}})
      add(concat("window ", s.batch, " ", s.in, " ", s.out, " ", s.side, " ", s.window, " ", s.stride),
          [&](Builder& b) {
            const Value x = b.input("x", f32({s.batch, s.in, s.side, s.side}));
            const Value y = layer(b, x, s.out, s.window, s.stride, 1, "first");
            const bool again = s.in == s.out;
            return again ? layer(b, y, s.out, s.window, s.stride, 1, "second") : y;
          })
          .cold = s.in > 200;
  }

  void depthwise() {
    struct Size {
      int64_t batch, channels, side, stride;
    };
    for (const Size& s : {Size{1, 40, 100, 1},
                          {1, 120, 60, 2},
                          {1, 192, 30, 1},
                          {8, 192, 30, 1},
                          {1, 480, 15, 1},
                          {1, 480, 15, 2},
                          {1, 864, 8, 1},
                          {8, 864, 8, 1}})
      add(concat("depthwise ", s.batch, " ", s.channels, " ", s.side, " ", s.stride), [&](Builder& b) {
        const Value x = b.input("x", f32({s.batch, s.channels, s.side, s.side}));
        return layer(b, x, s.channels, 3, s.stride, s.channels, "depthwise");
      });
  }

  void gradients() {
    struct Size {
      int64_t batch, in, out, side, window, stride, groups;
    };
    for (const Size& s : {Size{4, 20, 120, 60, 1, 1, 1},
                          {8, 64, 256, 30, 1, 1, 1},
                          {8, 480, 80, 15, 1, 1, 1},
                          {4, 512, 2048, 8, 1, 1, 1},
                          {8, 3, 24, 40, 3, 1, 1},
                          {4, 3, 64, 120, 7, 2, 1},
                          {4, 64, 64, 60, 3, 1, 1},
                          {8, 32, 64, 20, 3, 1, 1},
                          {4, 128, 128, 30, 3, 1, 1},
                          {4, 256, 256, 15, 3, 1, 1},
                          {4, 512, 512, 8, 3, 1, 1},
                          {4, 64, 128, 60, 3, 2, 1},
                          {4, 256, 512, 15, 3, 2, 1},
                          {4, 128, 256, 30, 1, 2, 1},
                          {4, 120, 120, 60, 3, 2, 120},
                          {8, 192, 192, 30, 3, 1, 192},
                          {8, 864, 864, 8, 3, 1, 864}}) {
      const std::string size =
          concat(s.batch, " ", s.in, " ", s.out, " ", s.side, " ", s.window, " ", s.stride, " ", s.groups);
      const int64_t around = s.window / 2, side = (s.side + 2 * around - s.window) / s.stride + 1;
      const ops::Conv2d attributes{.strides = {s.stride, s.stride},
                                   .low = {around, around},
                                   .high = {around, around},
                                   .groups = s.groups};
      const Shape x{s.batch, s.in, s.side, s.side}, y{s.batch, s.out, side, side},
          w{s.out, s.in / s.groups, s.window, s.window};
      if (s.in > 3)
        add("input gradient " + size, [&](Builder& b) {
          return ops::conv_input_grad(b, b.input("dy", f32(y)), b.input("w", f32(w)), x, attributes);
        }).infers = false;
      add("weight gradient " + size, [&](Builder& b) {
        return ops::conv_weight_grad(b, b.input("x", f32(x)), b.input("dy", f32(y)), w, attributes);
      }).infers = false;
    }
  }
};

}  // namespace

std::vector<Probe> convolution_probes() { return ConvolutionProbes().all(); }

}  // namespace temper
