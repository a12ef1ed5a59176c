// Products on devices with local memory.
#include "codegen/contraction.h"
#include "codegen/product.h"

namespace temper {

namespace {

class GroupPrinter {
 public:
  GroupPrinter(const Product& product, const GroupTile& tile)
      : p_(product),
        t_(tile),
        width_(tile.side * tile.each),
        lanes_(tile.side * tile.side),
        column_(product),
        sum_(sum_text(product.z)),
        w_("product", {product.a, product.b}, {product.z}, product.largest) {}

  KernelText print() {
    const int64_t row_tiles = groups_of(p_.rows, width_), column_tiles = groups_of(p_.columns, width_);
    const std::string_view i = w_.index();
    w_.line("LOCAL ", sum_, " a[", t_.inner * (width_ + 1), "], b[", t_.inner * width_, "];");
    w_.line("const int lane = (int)LANE, row = lane / ", t_.side, ", across = lane % ", t_.side, ";");
    w_.line("const ", i, " tile = (", i, ")GROUP;");
    w_.line("const ", i, " n0 = tile % ", column_tiles, " * ", width_, ", m0 = tile / ", column_tiles, " % ",
            row_tiles, " * ", width_, ", g = tile / ", column_tiles * row_tiles, ";");
    const std::vector<std::string> at = w_.coordinates("g", p_.group_sizes, "g");
    w_.line("const ", i, " a_base = ", linear_text(at, p_.a_group),
            ", b_base = ", linear_text(at, p_.b_group), ", z_base = ", linear_text(at, p_.z_group), ";");
    w_.line("const ", i, " own = n0 + lane % ", width_, ";");
    w_.line("const ", i, " n = own < ", p_.columns, " ? own : ", p_.columns - 1, ";");
    column_.begin(w_, "n", "_");
    for (int r = 0; r < t_.each; ++r)
      for (int c = 0; c < t_.each; ++c) w_.line(sum_, " c", r, c, " = 0;");
    w_.open("for (", i, " k0 = 0; k0 < ", p_.inner, "; k0 += ", t_.inner, ")");
    load();
    w_.line("BARRIER;");
    multiply();
    w_.line("BARRIER;");
    w_.close();
    store();
    return w_.finish(row_tiles * column_tiles * p_.groups, lanes_);
  }

 private:
  // a[k][m], b[k][n]; 0 beyond the edges.
  void load() {
    w_.open("for (int e = lane; e < ", t_.inner * width_, "; e += ", lanes_, ")");
    w_.line("const int m = e / ", t_.inner, ", k = e % ", t_.inner, ";");
    w_.line("a[k * ", width_ + 1, " + m] = m0 + m < ", p_.rows, " && k0 + k < ", p_.inner, " ? (", sum_, ")",
            w_.load(0, concat("a_base + (m0 + m) * ", p_.a_row, " + (k0 + k) * ", p_.a_inner)), " : 0;");
    w_.close();
    w_.open("for (int e = lane; e < ", t_.inner * width_, "; e += ", lanes_, ")");
    w_.line("const int k = e / ", width_, ";");
    w_.line(sum_, " v = 0;");
    w_.open("if (k0 + k < ", p_.inner, ")");
    column_.begin_inner(w_, "(k0 + k)");
    w_.line("v = ", column_.element(w_, sum_, "b_base", "_"), ";");
    w_.close();
    w_.line("b[e] = v;");
    w_.close();
  }

  void multiply() {
    w_.open("for (int k = 0; k < ", t_.inner, "; ++k)");
    for (int r = 0; r < t_.each; ++r) {
      w_.line("const ", sum_, " a", r, " = a[k * ", width_ + 1, " + row + ", r * t_.side, "];");
      w_.line("const ", sum_, " b", r, " = b[k * ", width_, " + across + ", r * t_.side, "];");
    }
    for (int r = 0; r < t_.each; ++r)
      for (int c = 0; c < t_.each; ++c)
        w_.line("c", r, c, " ", add_product_text(p_.z, concat("c", r, c), concat("a", r), concat("b", c)),
                ";");
    w_.close();
  }

  void store() {
    for (int r = 0; r < t_.each; ++r)
      for (int c = 0; c < t_.each; ++c) {
        w_.open("if (m0 + row + ", r * t_.side, " < ", p_.rows, " && n0 + across + ", c * t_.side, " < ",
                p_.columns, ")");
        w_.store(0,
                 concat("z_base + (m0 + row + ", r * t_.side, ") * ", p_.z_row, " + ",
                        column_.result(concat("(n0 + across + ", c * t_.side, ")"))),
                 concat("(", computed_text(p_.z), ")c", r, c));
        w_.close();
      }
  }

  const Product& p_;
  const GroupTile& t_;
  int width_, lanes_;
  ColumnText column_;
  std::string_view sum_;
  KernelWriter w_;
};

}  // namespace

KernelText group_kernel(const Product& product, const GroupTile& tile) {
  return GroupPrinter(product, tile).print();
}

}  // namespace temper
