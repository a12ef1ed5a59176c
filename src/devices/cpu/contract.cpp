#include "devices/cpu/contract.h"

#include <algorithm>
#include <array>

#include "devices/cpu/elements.h"
#include "devices/cpu/fusion.h"
#include "ir/op.h"

namespace temper::cpu {

namespace {

// Bias and posts on one element of the result.
class Epilogue {
 public:
  Epilogue(const KernelRequest& request, const Fusion& fusion, const Type& result) : posts_(fusion.posts) {
    const int rank = result.shape.rank();
    const bool is_dot = request.graph.nodes()[static_cast<size_t>(fusion.node)].op->name == "dot_general";
    const int axis = is_dot ? rank - 1 : 1;
    if (fusion.bias) bias_ = slot(request, fusion.bias), channels_ = result.shape.size(axis);
    for (int i = axis + 1; i < rank && fusion.bias; ++i) inner_ *= result.shape.size(i);
    for (const PostOp& post : posts_) slots_.push_back(post.operand ? slot(request, post.operand) : -1);
  }

  template <class Element>
  typename Element::Number apply(typename Element::Number value, int64_t index, void* const* buffers) const {
    using Number = typename Element::Number;
    const auto read = [&](int slot, int64_t i) {
      return Element::load(static_cast<const typename Element::Storage*>(buffers[slot])[i]);
    };
    if (bias_ >= 0) value += read(bias_, index / inner_ % channels_);
    for (size_t i = 0; i < posts_.size(); ++i) {
      const PostOp& post = posts_[i];
      if (post.kind == PostOp::add) {
        value += read(slots_[i], index);
      } else if constexpr (std::is_floating_point_v<Number>) {
        value = activate(post, value);
      }
    }
    return value;
  }

 private:
  static int slot(const KernelRequest& request, Value value) {
    return static_cast<int>(std::find(request.inputs.begin(), request.inputs.end(), value) -
                            request.inputs.begin());
  }
  template <class Number>
  static Number activate(const PostOp& post, Number value) {
    switch (post.kind) {
      case PostOp::relu:
        return value < 0 ? Number(0) : value;
      case PostOp::clip:
        return value < static_cast<Number>(post.low)    ? static_cast<Number>(post.low)
               : value > static_cast<Number>(post.high) ? static_cast<Number>(post.high)
                                                        : value;
      case PostOp::sigmoid:
        return 1 / (1 + std::exp(-value));
      case PostOp::tanh:
        return std::tanh(value);
      case PostOp::gelu:
        return value * (1 + std::erf(value * static_cast<Number>(std::numbers::sqrt2 / 2))) / 2;
      case PostOp::gelu_tanh: {
        const auto slope = static_cast<Number>(std::numbers::sqrt2 * std::numbers::inv_sqrtpi);
        return value *
               (1 + std::tanh(slope * (value + static_cast<Number>(0.044715) * value * value * value))) / 2;
      }
      case PostOp::scale:
        return value * static_cast<Number>(post.factor);
      case PostOp::round:
      case PostOp::add:
        break;
    }
    return value;
  }

  std::vector<PostOp> posts_;
  std::vector<int> slots_;
  int bias_ = -1;
  int64_t channels_ = 1, inner_ = 1;
};

// Offsets of all index combinations of some axes, the last one fastest.
Ints offsets(const Shape& shape, const Ints& axes) {
  const Ints steps = strides(shape, kRowMajor);
  Ints result{0};
  for (const int64_t axis : axes) {
    Ints next;
    for (const int64_t base : result)
      for (int64_t i = 0; i < shape.size(static_cast<int>(axis)); ++i)
        next.push_back(base + i * steps[static_cast<size_t>(axis)]);
    result = std::move(next);
  }
  return result;
}

struct DotTables {
  explicit DotTables(const Graph& graph, const Node& node) {
    const Shape &x = graph.type(node.inputs[0]).shape, &y = graph.type(node.inputs[1]).shape;
    const auto axes = [&](std::string_view name) -> const Ints& { return node.attributes.get<Ints>(name); };
    x_batch = offsets(x, axes("x_batch")), y_batch = offsets(y, axes("y_batch"));
    x_depth = offsets(x, axes("x_contract")), y_depth = offsets(y, axes("y_contract"));
    x_rows = offsets(x, rest(x.rank(), axes("x_batch"), axes("x_contract")));
    y_columns = offsets(y, rest(y.rank(), axes("y_batch"), axes("y_contract")));
  }
  static Ints rest(int rank, const Ints& a, const Ints& b) {
    Ints free;
    for (int64_t axis = 0; axis < rank; ++axis)
      if (std::find(a.begin(), a.end(), axis) == a.end() && std::find(b.begin(), b.end(), axis) == b.end())
        free.push_back(axis);
    return free;
  }
  Ints x_batch, y_batch, x_rows, y_columns, x_depth, y_depth;
};

template <class Element, class Result>
class DotLoops : public Kernel {
 public:
  DotLoops(DotTables tables, Epilogue epilogue, int x, int y, int result)
      : t_(std::move(tables)), epilogue_(std::move(epilogue)), x_(x), y_(y), result_(result) {}

  void run(void* const* buffers, KernelState*) const override {
    using Storage = typename Element::Storage;
    const auto* x = static_cast<const Storage*>(buffers[x_]);
    const auto* y = static_cast<const Storage*>(buffers[y_]);
    auto* result = static_cast<typename Result::Storage*>(buffers[result_]);
    const auto rows = static_cast<int64_t>(t_.x_rows.size()),
               columns = static_cast<int64_t>(t_.y_columns.size());
    const int64_t all_rows = rows * static_cast<int64_t>(t_.x_batch.size());
#pragma omp parallel for
    for (int64_t row = 0; row < all_rows; ++row) {
      const auto batch = static_cast<size_t>(row / rows);
      const Storage* x_row = x + t_.x_batch[batch] + t_.x_rows[static_cast<size_t>(row % rows)];
      for (int64_t column = 0; column < columns; ++column) {
        const Storage* y_column = y + t_.y_batch[batch] + t_.y_columns[static_cast<size_t>(column)];
        typename Result::Number sum = 0;
        for (size_t k = 0; k < t_.x_depth.size(); ++k)
          sum += Element::load(x_row[t_.x_depth[k]]) * Element::load(y_column[t_.y_depth[k]]);
        const int64_t index = row * columns + column;
        result[index] = Result::store(epilogue_.template apply<Result>(sum, index, buffers));
      }
    }
  }

 private:
  DotTables t_;
  Epilogue epilogue_;
  int x_, y_, result_;
};

// Three spatial axes, the missing ones of size 1 in front.
using Triple = std::array<int64_t, 3>;

Triple spatial(const Shape& shape) {
  Triple sizes{1, 1, 1};
  auto next = sizes.rbegin();
  for (int i = shape.rank() - 1; i >= 2; --i) *next++ = shape.size(i);
  return sizes;
}
Triple triple(const Ints& values, int64_t missing) {
  Triple result{missing, missing, missing};
  std::copy(values.begin(), values.end(), result.end() - static_cast<int64_t>(values.size()));
  return result;
}

struct ConvolutionLoopShape {
  ConvolutionLoopShape(const Graph& graph, const Node& node) {
    const std::string_view name = node.op->name;
    const Shape* shapes[3] = {&graph.type(node.inputs[0]).shape, &graph.type(node.inputs[1]).shape,
                              &node.outputs[0].shape};
    const Shape *x = shapes[0], *w = shapes[1], *y = shapes[2];
    if (name == "conv_input_grad") x = shapes[2], y = shapes[0];
    if (name == "conv_weight_grad") w = shapes[2], y = shapes[1];
    const bool general = name == "conv_general";
    const Attributes& a = node.attributes;
    groups = a.get<int64_t>("groups");
    batch_groups = general ? a.get<int64_t>("batch_groups") : 1;
    stride = triple(a.get<Ints>("strides"), 1), low = triple(a.get<Ints>("low"), 0);
    w_dilation = triple(a.get<Ints>(general ? "w_dilation" : "dilations"), 1);
    x_dilation = general ? triple(a.get<Ints>("x_dilation"), 1) : Triple{1, 1, 1};
    x_size = spatial(*x), w_size = spatial(*w), y_size = spatial(*y);
    batch = y->size(0), in = x->size(1), out = w->size(0);
  }

  static int64_t volume(const Triple& size) { return size[0] * size[1] * size[2]; }

  // Flat position in x that output position p meets under weight position k; -1: none.
  int64_t x_position(const Triple& p, const Triple& k) const {
    int64_t flat = 0;
    for (size_t i = 0; i < 3; ++i) {
      const int64_t spread = p[i] * stride[i] - low[i] + k[i] * w_dilation[i];
      if (spread < 0 || spread % x_dilation[i] != 0 || spread / x_dilation[i] >= x_size[i]) return -1;
      flat = flat * x_size[i] + spread / x_dilation[i];
    }
    return flat;
  }
  // Flat position in y that meets q of x under k; only without x dilation.
  int64_t y_position(const Triple& q, const Triple& k) const {
    int64_t flat = 0;
    for (size_t i = 0; i < 3; ++i) {
      const int64_t spread = q[i] + low[i] - k[i] * w_dilation[i];
      if (spread < 0 || spread % stride[i] != 0 || spread / stride[i] >= y_size[i]) return -1;
      flat = flat * y_size[i] + spread / stride[i];
    }
    return flat;
  }

  int64_t batch, in, out, groups, batch_groups;  // batch of y; channels of x and y
  Triple stride, low, w_dilation, x_dilation, x_size, w_size, y_size;
};

template <class Body>
void for_each(const Triple& size, Body body) {
  Triple at;
  for (at[0] = 0; at[0] < size[0]; ++at[0])
    for (at[1] = 0; at[1] < size[1]; ++at[1])
      for (at[2] = 0; at[2] < size[2]; ++at[2]) body(at);
}
int64_t flat(const Triple& size, const Triple& at) { return (at[0] * size[1] + at[1]) * size[2] + at[2]; }

enum class Wanted { y, x, w };

template <class Element, class Result>
class ConvolutionLoops : public Kernel {
 public:
  ConvolutionLoops(ConvolutionLoopShape shape, Epilogue epilogue, Wanted wanted, std::array<int, 3> slots)
      : s_(shape), epilogue_(std::move(epilogue)), wanted_(wanted), slots_(slots) {}

  void run(void* const* buffers, KernelState*) const override {
    const auto* a = static_cast<const Storage*>(buffers[slots_[0]]);
    const auto* b = static_cast<const Storage*>(buffers[slots_[1]]);
    auto* result = static_cast<typename Result::Storage*>(buffers[slots_[2]]);
    const int64_t planes = wanted_ == Wanted::w   ? s_.out * (s_.in / s_.groups)
                           : wanted_ == Wanted::x ? s_.batch * s_.in
                                                  : s_.batch * s_.out;
    const Triple& size = wanted_ == Wanted::w ? s_.w_size : wanted_ == Wanted::x ? s_.x_size : s_.y_size;
#pragma omp parallel for
    for (int64_t plane = 0; plane < planes; ++plane)
      for_each(size, [&](const Triple& at) {
        const Number sum = wanted_ == Wanted::w   ? weight(plane, at, a, b)
                           : wanted_ == Wanted::x ? input(plane, at, a, b)
                                                  : output(plane, at, a, b);
        const int64_t index = plane * ConvolutionLoopShape::volume(size) + flat(size, at);
        result[index] = Result::store(epilogue_.template apply<Result>(sum, index, buffers));
      });
  }

 private:
  using Storage = typename Element::Storage;
  using Number = typename Result::Number;

  static Number product(Storage a, Storage b) { return Element::load(a) * Element::load(b); }

  Number output(int64_t plane, const Triple& p, const Storage* x, const Storage* w) const {
    const int64_t o = plane % s_.out, per_group = s_.in / s_.groups;
    const int64_t n = plane / s_.out + o / (s_.out / s_.batch_groups) * s_.batch;
    const int64_t first = o / (s_.out / s_.groups) * per_group;
    const int64_t x_volume = s_.volume(s_.x_size), w_volume = s_.volume(s_.w_size);
    Number sum = 0;
    for_each(s_.w_size, [&](const Triple& k) {
      const int64_t q = s_.x_position(p, k);
      if (q < 0) return;
      for (int64_t c = 0; c < per_group; ++c)
        sum += product(x[(n * s_.in + first + c) * x_volume + q],
                       w[(o * per_group + c) * w_volume + flat(s_.w_size, k)]);
    });
    return sum;
  }

  Number input(int64_t plane, const Triple& q, const Storage* dy, const Storage* w) const {
    const int64_t n = plane / s_.in, c = plane % s_.in, per_group = s_.in / s_.groups;
    const int64_t outs = s_.out / s_.groups, first = c / per_group * outs;
    const int64_t y_volume = s_.volume(s_.y_size), w_volume = s_.volume(s_.w_size);
    Number sum = 0;
    for_each(s_.w_size, [&](const Triple& k) {
      const int64_t p = s_.y_position(q, k);
      if (p < 0) return;
      for (int64_t o = first; o < first + outs; ++o)
        sum += product(dy[(n * s_.out + o) * y_volume + p],
                       w[(o * per_group + c % per_group) * w_volume + flat(s_.w_size, k)]);
    });
    return sum;
  }

  Number weight(int64_t plane, const Triple& k, const Storage* x, const Storage* dy) const {
    const int64_t per_group = s_.in / s_.groups, o = plane / per_group;
    const int64_t c = o / (s_.out / s_.groups) * per_group + plane % per_group;
    const int64_t x_volume = s_.volume(s_.x_size), y_volume = s_.volume(s_.y_size);
    Number sum = 0;
    for (int64_t n = 0; n < s_.batch; ++n)
      for_each(s_.y_size, [&](const Triple& p) {
        const int64_t q = s_.x_position(p, k);
        if (q >= 0)
          sum += product(x[(n * s_.in + c) * x_volume + q],
                         dy[(n * s_.out + o) * y_volume + flat(s_.y_size, p)]);
      });
    return sum;
  }

  ConvolutionLoopShape s_;
  Epilogue epilogue_;
  Wanted wanted_;
  std::array<int, 3> slots_;
};

}  // namespace

bool contracts(DType dtype) {
  return dtype == DType::f16 || dtype >= DType::bf16 || (is_integer(dtype) && !is_packed(dtype));
}

std::unique_ptr<Kernel> make_contraction(const KernelRequest& request) {
  const Fusion fusion = read_fusion(request.graph, request.cluster);
  const Node& node = request.graph.nodes()[static_cast<size_t>(fusion.node)];
  const Epilogue epilogue(request, fusion, node.outputs[0]);
  const auto slot = [&](Value value) {
    return static_cast<int>(std::find(request.inputs.begin(), request.inputs.end(), value) -
                            request.inputs.begin());
  };
  TEMPER_CHECK(weights_of(request.graph, node) == node.inputs[1], "loops read weights as they are");
  const std::array slots{slot(node.inputs[0]), slot(node.inputs[1]), static_cast<int>(request.inputs.size())};
  const auto make = [&]<class Element, class Result>(Element, Result) -> std::unique_ptr<Kernel> {
    if (node.op->name == "dot_general")
      return std::make_unique<DotLoops<Element, Result>>(DotTables(request.graph, node), epilogue, slots[0],
                                                         slots[1], slots[2]);
    const Wanted wanted = node.op->name == "conv_input_grad"    ? Wanted::x
                          : node.op->name == "conv_weight_grad" ? Wanted::w
                                                                : Wanted::y;
    return std::make_unique<ConvolutionLoops<Element, Result>>(ConvolutionLoopShape(request.graph, node),
                                                               epilogue, wanted, slots);
  };
  const DType operands = request.graph.type(node.inputs[0]).dtype;
  if (operands == node.outputs[0].dtype)
    return with_elements(operands, [&](auto element) { return make(element, element); });
  const Plain<float, double> single;
  return operands == DType::bf16 ? make(Bf16Element(), single) : make(F16Element(), single);
}

}  // namespace temper::cpu
