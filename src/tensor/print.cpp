#include "tensor/print.h"

#include "base/check.h"

namespace temper {
namespace {

class Printer {
 public:
  Printer(const Tensor& tensor, int edge)
      : dtype_(tensor.dtype()), sizes_(tensor.shape().sizes()), edge_(edge) {
    if (is_float(dtype_)) {
      doubles_ = to_doubles(tensor);
    } else {
      integers_ = to_int64s(tensor);
    }
  }

  void print(std::string& out, size_t axis, size_t begin, size_t count) const {
    if (axis == sizes_.size()) return print_element(out, begin);
    const int64_t size = sizes_[axis];
    const size_t stride = size ? count / static_cast<size_t>(size) : 0;
    out += "[";
    for (int64_t i = 0; i < size; ++i) {
      if (i > 0) out += ", ";
      if (i == edge_ && size > 2 * edge_) {
        out += "..., ";
        i = size - edge_;
      }
      print(out, axis + 1, begin + static_cast<size_t>(i) * stride, stride);
    }
    out += "]";
  }

 private:
  void print_element(std::string& out, size_t i) const {
    if (dtype_ == DType::f64) {
      out += concat(doubles_[i]);
    } else if (is_float(dtype_)) {
      out += concat(static_cast<float>(doubles_[i]));
    } else if (dtype_ == DType::boolean) {
      out += integers_[i] ? "true" : "false";
    } else if (dtype_ == DType::u64) {
      out += concat(static_cast<uint64_t>(integers_[i]));
    } else {
      out += concat(integers_[i]);
    }
  }

  DType dtype_;
  std::vector<int64_t> sizes_;
  int64_t edge_;
  std::vector<double> doubles_;
  std::vector<int64_t> integers_;
};

}  // namespace

std::string to_string(const Tensor& tensor, int edge) {
  if (tensor.empty()) return "no tensor";
  std::string out = to_string(tensor.type()) + " ";
  if (!tensor.on_host()) return out + "on a device";
  Printer(tensor, edge).print(out, 0, 0, static_cast<size_t>(tensor.elements()));
  return out;
}

}  // namespace temper
