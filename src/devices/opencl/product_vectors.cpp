// Products on processors.
#include <algorithm>

#include "codegen/contraction.h"
#include "devices/opencl/products.h"

namespace temper::opencl {

namespace {

class VectorPrinter {
 public:
  VectorPrinter(const Product& product, const VectorTile& tile)
      : p_(product),
        t_(tile),
        column_(product),
        sum_(sum_text(product.z)),
        vector_(concat(sum_ == "f32"   ? "float"
                       : sum_ == "f64" ? "double"
                       : sum_ == "u32" ? "uint"
                                       : "ulong",
                       tile.width)),
        w_("product", {product.a, product.b}, {product.z}, product.largest) {}

  KernelText print() {
    const int64_t row_tiles = groups_of(p_.rows, t_.rows), column_tiles = groups_of(p_.columns, t_.columns);
    const std::string_view i = w_.index();
    w_.line("const ", i, " tile = (", i, ")GROUP;");
    w_.line("const ", i, " n0 = tile % ", column_tiles, " * ", t_.columns, ", m0 = tile / ", column_tiles,
            " % ", row_tiles, " * ", t_.rows, ", g = tile / ", column_tiles * row_tiles, ";");
    const std::vector<std::string> at = w_.coordinates("g", p_.group_sizes, "g");
    w_.line("const ", i, " a_base = ", linear_text(at, p_.a_group),
            ", b_base = ", linear_text(at, p_.b_group), ", z_base = ", linear_text(at, p_.z_group), ";");
    w_.line(sum_, " c[", t_.rows * t_.columns, "], b[", t_.inner * t_.columns, "];");
    w_.line("for (int j = 0; j < ", t_.rows * t_.columns, "; ++j) c[j] = 0;");
    if (!packs_straight()) column_.begin_arrays(w_, "n0", t_.columns);
    w_.open("for (", i, " k0 = 0; k0 < ", p_.inner, "; k0 += ", t_.inner, ")");
    w_.line("const int depth_here = (int)(", p_.inner, " - k0 < ", t_.inner, " ? ", p_.inner,
            " - k0 : ", t_.inner, ");");
    pack();
    multiply();
    w_.close();
    store();
    return w_.finish(row_tiles * column_tiles * p_.groups, 1);
  }

 private:
  // Columns of B lie side by side: whole vectors are copied.
  bool packs_straight() const {
    return p_.axes.empty() && p_.b_column == 1 && stored_text(p_.b) == sum_ && p_.columns >= t_.columns;
  }

  void pack() {
    w_.open("for (int k = 0; k < depth_here; ++k)");
    column_.begin_inner(w_, "(k0 + k)");
    if (packs_straight()) {
      w_.open("if (n0 + ", t_.columns, " <= ", p_.columns, ")");
      w_.line("GLOBAL const ", sum_, "* from = x1 + b_base + depth + n0;");
      for (int j = 0; j < t_.columns; j += t_.width)
        w_.line("vstore", t_.width, "(vload", t_.width, "(0, from + ", j, "), 0, b + k * ", t_.columns, " + ",
                j, ");");
      w_.close();
      w_.open("else");
      w_.line("for (int j = 0; j < ", t_.columns, "; ++j) b[k * ", t_.columns, " + j] = n0 + j < ",
              p_.columns, " ? x1[b_base + depth + n0 + j] : 0;");
      w_.close();
    } else {
      w_.line("for (int j = 0; j < ", t_.columns, "; ++j) b[k * ", t_.columns,
              " + j] = ", column_.element(w_, sum_, "b_base", "[j]"), ";");
    }
    w_.close();
  }

  void multiply() {
    const int step = 2 * t_.width;
    w_.open("for (int m = 0; m < ", t_.rows, " && m0 + m < ", p_.rows, "; m += ", t_.unrolled, ")");
    for (int r = 0; r < t_.unrolled; ++r)
      w_.line("const ", w_.index(), " a", r, " = a_base + (m0 + m + ", r, " < ", p_.rows, " ? m0 + m + ", r,
              " : ", p_.rows - 1, ") * ", p_.a_row, " + k0 * ", p_.a_inner, ";");
    w_.open("for (int j = 0; j < ", t_.columns, "; j += ", step, ")");
    for (int r = 0; r < t_.unrolled; ++r) w_.line(vector_, " c", r, "0 = 0, c", r, "1 = 0;");
    w_.open("for (int k = 0; k < depth_here; ++k)");
    w_.line("const ", vector_, " b0 = vload", t_.width, "(0, b + k * ", t_.columns, " + j), b1 = vload",
            t_.width, "(1, b + k * ", t_.columns, " + j);");
    for (int r = 0; r < t_.unrolled; ++r) {
      w_.line("const ", vector_, " v", r, " = (", vector_, ")((", sum_, ")",
              w_.load(0, concat("a", r, " + k * ", p_.a_inner)), ");");
      for (const char* half : {"0", "1"})
        w_.line("c", r, half, " ",
                add_product_text(p_.z, concat("c", r, half), concat("v", r), concat("b", half)), ";");
    }
    w_.close();
    for (int r = 0; r < t_.unrolled; ++r)
      for (int half = 0; half < 2; ++half) {
        const std::string place = concat("c + (m + ", r, ") * ", t_.columns, " + j");
        w_.line("vstore", t_.width, "(c", r, half, " + vload", t_.width, "(", half, ", ", place, "), ", half,
                ", ", place, ");");
      }
    w_.close();
    w_.close();
  }

  void store() {
    w_.open("for (int m = 0; m < ", t_.rows, " && m0 + m < ", p_.rows, "; ++m)");
    w_.open("for (int j = 0; j < ", t_.columns, " && n0 + j < ", p_.columns, "; ++j)");
    w_.store(0, concat("z_base + (m0 + m) * ", p_.z_row, " + ", column_.result("(n0 + j)")),
             concat("(", computed_text(p_.z), ")c[m * ", t_.columns, " + j]"));
    w_.close();
    w_.close();
  }

  const Product& p_;
  const VectorTile& t_;
  ColumnText column_;
  std::string_view sum_;
  std::string vector_;
  KernelWriter w_;
};

}  // namespace

KernelText vector_kernel(const Product& product, const VectorTile& tile) {
  return VectorPrinter(product, tile).print();
}

}  // namespace temper::opencl
