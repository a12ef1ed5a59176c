// Layers: convolution, pooling, normalisation, resize.
#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "formats/onnx/emitter.h"

namespace temper::onnx {

namespace {

// low then high, as ONNX has pads.
Ints pads_of(const Node& node) {
  Ints pads = node.attributes.get<Ints>("low");
  const Ints& high = node.attributes.get<Ints>("high");
  pads.insert(pads.end(), high.begin(), high.end());
  return pads;
}

bool all_are(const Ints& values, int64_t value) {
  return std::all_of(values.begin(), values.end(), [&](int64_t each) { return each == value; });
}

// Only what differs from ONNX's defaults.
AttributeDefs window_attributes(const Node& node, const Ints& kernel) {
  const Ints &strides = node.attributes.get<Ints>("strides"),
             &dilations = node.attributes.get<Ints>("dilations");
  AttributeDefs attributes{attribute("kernel_shape", kernel)};
  if (const Ints pads = pads_of(node); !all_are(pads, 0)) attributes.push_back(attribute("pads", pads));
  if (!all_are(strides, 1)) attributes.push_back(attribute("strides", strides));
  if (!all_are(dilations, 1)) attributes.push_back(attribute("dilations", dilations));
  return attributes;
}

Ints spatial_sizes(const Shape& shape) {
  Ints sizes;
  for (int i = 2; i < shape.rank(); ++i) sizes.push_back(shape.size(i));
  return sizes;
}

void add_groups(AttributeDefs& attributes, int64_t groups) {
  if (groups != 1) attributes.push_back(attribute("group", groups));
}

void conv2d(Emitter& e, const Node& node, Value value) {
  AttributeDefs attributes = window_attributes(node, spatial_sizes(e.shape(node.inputs[1])));
  add_groups(attributes, node.attributes.get<int64_t>("groups"));
  Names inputs;
  for (const Value input : node.inputs) inputs.push_back(e.use(input));
  e.result(value, "Conv", inputs, attributes);
}

// Integers of 8 bits as i32, less their zero point: what ConvInteger takes.
struct Centred {
  Value integers, zero;
};

std::optional<Centred> centred(const Emitter& e, Value operand, bool by_channel) {
  Centred found;
  if (const Node* less = e.made_by(operand, "sub")) {
    Value zero = e.through_broadcast(less->inputs[1]);
    const Node* column = e.made_by(zero, "reshape");
    if (column) zero = column->inputs[0];
    const Node* widened = e.made_by(zero, "convert");
    if (!widened) return std::nullopt;
    found.zero = widened->inputs[0];
    const Shape& shape = e.shape(found.zero);
    const bool along_first = by_channel && column && shape.rank() == 1 && e.shape(operand)[0] == shape[0] &&
                             column->outputs[0].shape[0] == shape[0];
    if (shape.rank() != 0 && !along_first) return std::nullopt;
    operand = less->inputs[0];
  }
  const Node* widened = e.made_by(operand, "convert");
  if (!widened) return std::nullopt;
  found.integers = widened->inputs[0];
  const DType dtype = e.dtype(found.integers);
  if ((dtype != DType::u8 && dtype != DType::i8) || (found.zero && e.dtype(found.zero) != dtype))
    return std::nullopt;
  return found;
}

// ONNX has a convolution of 8-bit integers; of any others there is one in f64, which holds each i32.
void integer_convolution(Emitter& e, const Node& node, Value value, const AttributeDefs& attributes) {
  const auto x = centred(e, node.inputs[0], false), w = centred(e, node.inputs[1], true);
  if (x && w)
    return e.result(value, "ConvInteger",
                    {e.use(x->integers), e.use(w->integers), e.use(x->zero), e.use(w->zero)}, attributes);
  const auto to = [](DType dtype) {
    return AttributeDefs{attribute("to", static_cast<int64_t>(to_number(dtype)))};
  };
  Names inputs;
  for (const Value input : node.inputs) inputs.push_back(e.add("Cast", {e.use(input)}, to(DType::f64)));
  e.result(value, "Cast", {e.add("Conv", inputs, attributes)}, to(e.dtype(value)));
}

void conv_general(Emitter& e, const Node& node, Value value) {
  if (node.attributes.get<int64_t>("batch_groups") != 1 ||
      !all_are(node.attributes.get<Ints>("x_dilation"), 1))
    e.unsupported("a convolution with a dilated input or batch groups");
  const Ints pads = pads_of(node), &dilations = node.attributes.get<Ints>("w_dilation"),
             &strides = node.attributes.get<Ints>("strides");
  if (std::any_of(pads.begin(), pads.end(), [](int64_t each) { return each < 0; }))
    e.unsupported("a convolution with negative padding");
  AttributeDefs attributes{attribute("kernel_shape", spatial_sizes(e.shape(node.inputs[1]))),
                           attribute("pads", pads), attribute("strides", strides),
                           attribute("dilations", dilations)};
  add_groups(attributes, node.attributes.get<int64_t>("groups"));
  if (!is_float(e.dtype(value))) return integer_convolution(e, node, value, attributes);
  e.result(value, "Conv", {e.use(node.inputs[0]), e.use(node.inputs[1])}, attributes);
}

// The gradient of a convolution by its input is ConvTranspose.
void conv_input_grad(Emitter& e, const Node& node, Value value) {
  const Ints kernel = spatial_sizes(e.shape(node.inputs[1]));
  AttributeDefs attributes = window_attributes(node, kernel);
  add_groups(attributes, node.attributes.get<int64_t>("groups"));
  const Shape &from = e.shape(node.inputs[0]), &to = e.shape(value);
  const Ints pads = pads_of(node), &strides = node.attributes.get<Ints>("strides"),
             &dilations = node.attributes.get<Ints>("dilations");
  Ints adjustment;
  for (size_t i = 0; i < kernel.size(); ++i) {
    const int axis = static_cast<int>(i) + 2;
    if (!from[axis].is_static() || !to[axis].is_static()) e.unsupported("free spatial dimensions");
    adjustment.push_back(to.size(axis) -
                         (strides[i] * (from.size(axis) - 1) + (kernel[i] - 1) * dilations[i] + 1 - pads[i] -
                          pads[i + kernel.size()]));
  }
  if (!all_are(adjustment, 0)) attributes.push_back(attribute("output_padding", adjustment));
  e.result(value, "ConvTranspose", {e.use(node.inputs[0]), e.use(node.inputs[1])}, attributes);
}

void max_pool(Emitter& e, const Node& node, Value value) {
  e.result(value, "MaxPool", {e.use(node.inputs[0])},
           window_attributes(node, node.attributes.get<Ints>("window")));
}

void avg_pool(Emitter& e, const Node& node, Value value) {
  AttributeDefs attributes = window_attributes(node, node.attributes.get<Ints>("window"));
  if (e.opset < 19 && !all_are(node.attributes.get<Ints>("dilations"), 1))
    e.unsupported("a dilated average needs opset 19");
  if (node.attributes.get<bool>("count_padding"))
    attributes.push_back(attribute("count_include_pad", int64_t{1}));
  e.result(value, "AveragePool", {e.use(node.inputs[0])}, attributes);
}

// A sum over everything up to here is CumSum; else the leading two axes must be left alone.
void reduce_window(Emitter& e, const Node& node, Value value) {
  const Ints &window = node.attributes.get<Ints>("window"), &strides = node.attributes.get<Ints>("strides"),
             &low = node.attributes.get<Ints>("low"), &high = node.attributes.get<Ints>("high"),
             &dilations = node.attributes.get<Ints>("dilations");
  const std::string& kind = node.attributes.get<std::string>("kind");
  const Shape& x = e.shape(node.inputs[0]);
  const auto wide = std::count_if(window.begin(), window.end(), [](int64_t size) { return size != 1; });
  const auto axis = static_cast<size_t>(
      std::find_if(window.begin(), window.end(), [](int64_t size) { return size != 1; }) - window.begin());
  if (kind == "sum" && wide == 1 && all_are(strides, 1) && all_are(high, 0) && dilations[axis] == 1 &&
      Dim(window[axis]) == x[static_cast<int>(axis)] && low[axis] == window[axis] - 1)
    return e.result(value, "CumSum", {e.use(node.inputs[0]), e.integer(static_cast<int64_t>(axis))});
  const bool inner = x.rank() >= 3 && x.rank() <= 5 && window[0] == 1 && window[1] == 1 && strides[0] == 1 &&
                     strides[1] == 1 && low[0] == 0 && low[1] == 0 && high[0] == 0 && high[1] == 0;
  if (!inner || (kind != "max" && kind != "sum") || (kind == "sum" && !all_are(dilations, 1) && e.opset < 19))
    e.unsupported("a windowed " + kind + " that is no pooling");
  const auto tail = [](const Ints& values) { return Ints(values.begin() + 2, values.end()); };
  Ints pads = tail(low);
  for (const int64_t pad : tail(high)) pads.push_back(pad);
  AttributeDefs attributes{attribute("kernel_shape", tail(window)), attribute("pads", pads),
                           attribute("strides", tail(strides))};
  if (!all_are(dilations, 1)) attributes.push_back(attribute("dilations", tail(dilations)));
  if (kind == "max") return e.result(value, "MaxPool", {e.use(node.inputs[0])}, attributes);
  double count = 1;
  for (const int64_t size : window) count *= static_cast<double>(size);
  attributes.push_back(attribute("count_include_pad", int64_t{1}));
  e.result(value, "Mul",
           {e.add("AveragePool", {e.use(node.inputs[0])}, attributes), e.scalar(e.dtype(value), count)});
}

void along_axis(Emitter& e, const Node& node, Value value) {
  e.result(value, node.op->name == "softmax" ? "Softmax" : "LogSoftmax", {e.use(node.inputs[0])},
           {attribute("axis", node.attributes.get<int64_t>("axis"))});
}

void batch_norm(Emitter& e, const Node& node, Value value) {
  Names inputs;
  for (const Value input : node.inputs) inputs.push_back(e.use(input));
  e.result(value, "BatchNormalization", inputs,
           {attribute("epsilon", node.attributes.get<double>("epsilon")),
            attribute("momentum", node.attributes.get<double>("momentum"))});
}

void layer_norm(Emitter& e, const Node& node, Value value) {
  Names inputs;
  for (const Value input : node.inputs) inputs.push_back(e.use(input));
  const auto output = [&](int i) { return e.wanted({value.node, i}) ? Value{value.node, i} : Value(); };
  e.results({value, output(1), output(2)}, "LayerNormalization", inputs,
            {attribute("axis", node.attributes.get<int64_t>("axis")),
             attribute("epsilon", node.attributes.get<double>("epsilon"))});
}

void gelu(Emitter& e, const Node& node, Value value) {
  e.result(value, "Gelu", {e.use(node.inputs[0])},
           {attribute("approximate", node.attributes.get<bool>("approximate") ? "tanh" : "none")});
}

void dropout(Emitter& e, const Node& node, Value value) {
  e.result(value, "Dropout",
           {e.use(node.inputs[0]),
            e.constant(Tensor::scalar(static_cast<float>(node.attributes.get<double>("rate"))))});
}

// Scales, unless rounding them to f32 would change a size; then sizes.
void resize(Emitter& e, const Node& node, Value value) {
  const Attributes& a = node.attributes;
  const Shape &from = e.shape(node.inputs[0]), &to = e.shape(value);
  const Reals& scales = a.get<Reals>("scales");
  const std::string& mode = a.get<std::string>("mode");
  const std::string& coordinates = a.get<std::string>("coordinates");
  bool by_scales = true;
  for (int i = 0; i < from.rank(); ++i) {
    const auto scale = static_cast<double>(static_cast<float>(scales[static_cast<size_t>(i)]));
    if (scale == 1 && from[i] == to[i]) continue;
    by_scales = by_scales && from[i].is_static() &&
                std::floor(static_cast<double>(from.size(i)) * scale) == static_cast<double>(to.size(i));
  }
  AttributeDefs attributes{attribute("mode", mode), attribute("coordinate_transformation_mode", coordinates)};
  if (mode == "nearest") attributes.push_back(attribute("nearest_mode", a.get<std::string>("nearest")));
  if (mode == "cubic") attributes.push_back(attribute("cubic_coeff_a", a.get<double>("cubic_a")));
  if (a.get<bool>("exclude_outside")) attributes.push_back(attribute("exclude_outside", int64_t{1}));
  if (a.get<bool>("antialias")) {
    if (e.opset < 18) e.unsupported("resizing without aliases needs opset 18");
    attributes.push_back(attribute("antialias", int64_t{1}));
  }
  std::string region;
  if (coordinates == "tf_crop_and_resize") {
    const Reals& roi = a.get<Reals>("roi");
    region = e.constant(from_doubles({DType::f32, {static_cast<int64_t>(roi.size())}}, roi));
    attributes.push_back(attribute("extrapolation_value", a.get<double>("extrapolation")));
  }
  if (coordinates == "half_pixel_symmetric" && e.opset < 19)
    e.unsupported("half_pixel_symmetric needs opset 19");
  const std::string factors = by_scales ? e.constant(from_doubles({DType::f32, {from.rank()}}, scales)) : "";
  e.result(value, "Resize", {e.use(node.inputs[0]), region, factors, by_scales ? "" : e.shape_vector(to)},
           attributes);
}

// Without a zero point QuantizeLinear's result is u8, and that of DequantizeLinear's operand does not matter.
void quantize(Emitter& e, const Node& node, Value value) {
  Names inputs{e.use(node.inputs[0]), e.use(node.inputs[1])};
  const bool has_zero = node.inputs.size() > 2 && node.inputs[2];
  if (has_zero)
    inputs.push_back(e.use(node.inputs[2]));
  else if (node.op->name == "quantize")
    inputs.push_back(e.constant(Tensor(Type{e.dtype(value), e.shape(node.inputs[1])})));
  AttributeDefs attributes;
  if (e.shape(node.inputs[1]).rank() > 0)
    attributes.push_back(attribute("axis", node.attributes.get<int64_t>("axis")));
  e.result(value, node.op->name == "quantize" ? "QuantizeLinear" : "DequantizeLinear", inputs, attributes);
}

constexpr std::array kRows{
    WriteRow{"quantize", quantize},
    WriteRow{"dequantize", quantize},
    WriteRow{"conv2d", conv2d},
    WriteRow{"conv_general", conv_general},
    WriteRow{"conv_input_grad", conv_input_grad},
    WriteRow{"max_pool", max_pool},
    WriteRow{"avg_pool", avg_pool},
    WriteRow{"reduce_window", reduce_window},
    WriteRow{"softmax", along_axis},
    WriteRow{"log_softmax", along_axis},
    WriteRow{"batch_norm_infer", batch_norm},
    WriteRow{"layer_norm", layer_norm},
    WriteRow{"gelu", gelu},
    WriteRow{"dropout_infer", dropout},
    WriteRow{"resize", resize},
};

}  // namespace

std::span<const WriteRow> layer_write_rows() { return kRows; }

}  // namespace temper::onnx
