#include "nn/models.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/text.h"
#include "nn/bert.h"
#include "nn/layers.h"
#include "ops/primitives.h"

namespace temper::nn {
namespace {

constexpr std::string_view kMlp = "mlp:", kBert = "bert:";
const Initial kZero{Initial::constant, 0};

ConvLayer without_bias(ConvLayer layer) {
  layer.bias = false;  // a norm follows
  layer.weight = kaiming_normal(layer.channels * layer.window * layer.window, std::numbers::sqrt2);
  return layer;
}

// Value of the input named "input", f32[N, sizes...].
Value image_input(Layers& layers, int64_t channels, int64_t size) {
  return layers.builder().input("input", {DType::f32, {Dim::symbol("N"), channels, size, size}});
}

// Deep residual learning: He et al., arXiv:1512.03385; the stride of a bottleneck is in its 3x3, as
// torchvision has it.
class ResNet {
 public:
  ResNet(Layers& layers, bool bottleneck) : layers_(layers), bottleneck_(bottleneck) {}

  void build(const std::vector<int64_t>& depths) {
    Value x = conv_norm("conv1", "bn1", image_input(layers_, 3, 224),
                        {.channels = 64, .window = 7, .stride = 2, .padding = 3});
    x = layers_.activation("relu", x, "relu");
    x = layers_.max_pool("maxpool", x, 3, 2, 1);
    int64_t width = 64;
    for (size_t stage = 0; stage < depths.size(); ++stage, width *= 2) {
      for (int64_t block = 0; block < depths[stage]; ++block) {
        const int64_t stride = stage > 0 && block == 0 ? 2 : 1;
        x = residual(concat("layer", stage + 1, ".", block, "."), x, width, stride);
      }
    }
    x = layers_.global_avg_pool("avgpool", x);
    layers_.builder().output("output", layers_.dense("fc", x, 1000));
  }

 private:
  Value conv_norm(const std::string& conv, const std::string& norm, Value x, const ConvLayer& layer) {
    return layers_.batch_norm(norm, layers_.conv(conv, x, without_bias(layer)));
  }

  Value residual(const std::string& name, Value x, int64_t width, int64_t stride) {
    const int64_t out = bottleneck_ ? 4 * width : width;
    Value y;
    if (bottleneck_) {
      y = conv_norm(name + "conv1", name + "bn1", x, {.channels = width, .window = 1});
      y = layers_.activation(name + "relu", y, "relu");
      y = conv_norm(name + "conv2", name + "bn2", y, {.channels = width, .stride = stride, .padding = 1});
      y = layers_.activation(name + "relu", y, "relu");
      y = conv_norm(name + "conv3", name + "bn3", y, {.channels = out, .window = 1});
    } else {
      y = conv_norm(name + "conv1", name + "bn1", x, {.channels = width, .stride = stride, .padding = 1});
      y = layers_.activation(name + "relu", y, "relu");
      y = conv_norm(name + "conv2", name + "bn2", y, {.channels = width, .padding = 1});
    }
    Value shortcut = x;
    if (stride != 1 || layers_.builder().shape(x).size(1) != out) {
      shortcut = conv_norm(name + "downsample.0", name + "downsample.1", x,
                           {.channels = out, .window = 1, .stride = stride});
    }
    layers_.builder().set_default_name(name + "add");
    return layers_.activation(name + "relu", ops::add(layers_.builder(), y, shortcut), "relu");
  }

  Layers& layers_;
  bool bottleneck_;
};

// Inverted residuals and linear bottlenecks: Sandler et al., arXiv:1801.04381.
class MobileNetV2 {
 public:
  explicit MobileNetV2(Layers& layers) : layers_(layers) {}

  void build() {
    struct Stage {
      int64_t expansion, channels, blocks, stride;
    };
    static constexpr Stage kStages[]{{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                                     {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    Value x =
        conv_norm("features.0.", image_input(layers_, 3, 224), {.channels = 32, .stride = 2, .padding = 1});
    int64_t index = 1;
    for (const Stage& stage : kStages) {
      for (int64_t block = 0; block < stage.blocks; ++block) {
        const int64_t stride = block == 0 ? stage.stride : 1;
        x = inverted(concat("features.", index++, ".conv."), x, stage.expansion, stage.channels, stride);
      }
    }
    x = conv_norm(concat("features.", index, "."), x, {.channels = 1280, .window = 1});
    x = layers_.global_avg_pool("avgpool", x);
    x = layers_.dropout("classifier.0", x, 0.2);
    layers_.builder().output("output",
                             layers_.dense("classifier.1", x, 1000, Initial{Initial::normal, 0.01}, kZero));
  }

 private:
  Value conv_norm(const std::string& name, Value x, const ConvLayer& layer) {
    const Value y = layers_.batch_norm(name + "1", layers_.conv(name + "0", x, without_bias(layer)));
    return layers_.activation(name + "2", y, "relu6");
  }

  Value inverted(const std::string& name, Value x, int64_t expansion, int64_t channels, int64_t stride) {
    const int64_t in = layers_.builder().shape(x).size(1), wide = in * expansion;
    int64_t index = 0;
    Value y = x;
    if (expansion != 1) y = conv_norm(concat(name, index++, "."), y, {.channels = wide, .window = 1});
    y = conv_norm(concat(name, index++, "."), y,
                  {.channels = wide, .stride = stride, .padding = 1, .groups = wide});
    y = layers_.conv(concat(name, index), y, without_bias({.channels = channels, .window = 1}));
    y = layers_.batch_norm(concat(name, index + 1), y);
    if (stride != 1 || in != channels) return y;
    layers_.builder().set_default_name(name + "add");
    return ops::add(layers_.builder(), x, y);
  }

  Layers& layers_;
};

// Numbers in the names are the places in an nn.Sequential.
void build_cnn(Layers& layers) {
  Value x = image_input(layers, 3, 32);
  x = layers.activation("1", layers.conv("0", x, {.channels = 32, .padding = 1}), "relu");
  x = layers.max_pool("2", x, 2, 2);
  x = layers.activation("4", layers.conv("3", x, {.channels = 64, .padding = 1}), "relu");
  x = layers.max_pool("5", x, 2, 2);
  x = layers.flatten("6", x);
  x = layers.activation("8", layers.dense("7", x, 512), "relu");
  layers.builder().output("output", layers.dense("9", x, 10));
}

std::vector<int64_t> parse_sizes(std::string_view spec) {
  static constexpr int64_t kMost = int64_t{1} << 20;
  std::vector<int64_t> sizes;
  for (std::string_view part : split(spec.substr(kMlp.size()), '-')) {
    int64_t size = 0;
    if (!parse_number(part, size) || size < 1 || size > kMost) {
      throw Error(ErrorKind::invalid, concat("model ", spec, ": expected sizes from 1 to ", kMost,
                                             " as in mlp:784-128-10, found \"", part, "\""));
    }
    sizes.push_back(size);
  }
  if (sizes.size() < 2)
    throw Error(ErrorKind::invalid,
                concat("model ", spec, ": expected at least two sizes as in mlp:784-128-10"));
  return sizes;
}

void build_mlp(Layers& layers, const std::vector<int64_t>& sizes) {
  Value x = layers.builder().input("input", {DType::f32, {Dim::symbol("N"), sizes.front()}});
  for (size_t i = 1; i < sizes.size(); ++i) {
    x = layers.dense(std::to_string(2 * (i - 1)), x, sizes[i]);
    if (i + 1 < sizes.size()) x = layers.activation(std::to_string(2 * i - 1), x, "relu");
  }
  layers.builder().output("output", x);
}

// A picture whose pixels are the inputs of an mlp: square, grey or coloured. None if there is no such.
std::optional<Preprocess> picture_of(int64_t inputs) {
  for (int64_t channels : {1, 3}) {
    const auto side = static_cast<int64_t>(
        std::llround(std::sqrt(static_cast<double>(inputs) / static_cast<double>(channels))));
    if (side > 1 && channels * side * side == inputs)
      return parse_preprocess(concat("size:", side, "x", side, channels == 1 ? ",gray" : "", ",unit"), 0, 0);
  }
  return std::nullopt;
}

struct Architecture {
  std::string_view name;
  void (*build)(Layers&);
  std::string_view preprocess;
  int size;  // of the picture
};

constexpr Architecture kArchitectures[]{
    {"cnn", build_cnn, "size:32x32,unit", 32},
    {"resnet18", [](Layers& layers) { ResNet(layers, false).build({2, 2, 2, 2}); }, "torch", 224},
    {"resnet34", [](Layers& layers) { ResNet(layers, false).build({3, 4, 6, 3}); }, "torch", 224},
    {"resnet50", [](Layers& layers) { ResNet(layers, true).build({3, 4, 6, 3}); }, "torch", 224},
    {"mobilenet_v2", [](Layers& layers) { MobileNetV2(layers).build(); }, "torch", 224}};

const Architecture* find_architecture(std::string_view name) {
  const auto found = std::ranges::find(kArchitectures, name, &Architecture::name);
  return found == std::end(kArchitectures) ? nullptr : found;
}

[[noreturn]] void refuse_name(std::string_view name) {
  const std::string near = closest(name, architectures());
  const std::string hint =
      near.empty() ? concat("known are ", join(architectures(), ", ")) : concat("did you mean ", near, "?");
  throw Error(ErrorKind::not_found, concat("model ", name, ": no such file or architecture; ", hint));
}

// seed none: parameters are zero.
Model build(std::string_view spec, std::optional<uint64_t> seed) {
  Model model;
  model.name = spec;
  Layers layers(model, seed);
  if (starts_with(spec, kMlp)) {
    const std::vector<int64_t> sizes = parse_sizes(spec);
    build_mlp(layers, sizes);
    model.preprocess = picture_of(sizes.front());
    return model;
  }
  if (starts_with(spec, kBert)) {
    build_bert(layers, parse_bert(spec));
    return model;
  }
  const Architecture* architecture = find_architecture(spec);
  if (!architecture) refuse_name(spec);
  architecture->build(layers);
  model.preprocess = parse_preprocess(architecture->preprocess, architecture->size, architecture->size);
  return model;
}

}  // namespace

std::vector<std::string> architectures() {
  std::vector<std::string> names{"mlp:784-128-10", "bert:4-256-4"};
  for (const Architecture& architecture : kArchitectures) names.emplace_back(architecture.name);
  return names;
}

bool is_architecture(std::string_view spec) {
  return starts_with(spec, kMlp) || starts_with(spec, kBert) || find_architecture(spec);
}

Model build_model(std::string_view spec, uint64_t seed) { return build(spec, seed); }

Model build_model(std::string_view spec, const std::map<std::string, Tensor>& state) {
  Model model = build(spec, std::nullopt);
  load_parameters(model, state);
  return model;
}

}  // namespace temper::nn
