// Line charts as SVG.
#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "base/text.h"
#include "report/html.h"

namespace temper {
namespace {

constexpr std::array<std::string_view, 4> kColours = {"#2f6fdb", "#e07b27", "#2a9d5c", "#a347ba"};

struct Frame {
  double left = 52, top = 10, right = 0, bottom = 0;  // of the plotted area, in pixels
  double low = 0, high = 1;                           // of the values
  size_t epochs = 1;

  double x(size_t epoch) const {
    return epochs <= 1 ? (left + right) / 2
                       : left + (right - left) * static_cast<double>(epoch) / static_cast<double>(epochs - 1);
  }
  double y(double value) const { return bottom - (bottom - top) * (value - low) / (high - low); }
};

// A step of 1, 2 or 5 times a power of ten that gives about four intervals.
double nice_step(double range) {
  const double rough = range / 4, power = std::pow(10, std::floor(std::log10(rough)));
  for (double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough) return factor * power;
  }
  return 10 * power;
}

Frame frame_of(const Plot& plot, int width, int height) {
  Frame frame;
  frame.right = width - 14;
  frame.bottom = height - 44;
  double low = INFINITY, high = -INFINITY;
  for (const Curve& curve : plot.curves) {
    frame.epochs = std::max(frame.epochs, curve.values.size());
    for (double value : curve.values) {
      if (std::isfinite(value)) low = std::min(low, value), high = std::max(high, value);
    }
  }
  if (low > high) return frame;  // nothing finite
  if (high - low < 1e-9 * std::max(1.0, std::fabs(high))) low -= 0.5, high += 0.5;
  const double step = nice_step(high - low);
  frame.low = std::floor(low / step) * step;
  frame.high = std::ceil(high / step) * step;
  return frame;
}

std::string fixed(double value) { return concat(std::round(value * 10) / 10); }

std::string tick_text(double value, double step) {
  const int digits = std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
  const double scale = std::pow(10, digits);
  return concat(std::round(value * scale) / scale);
}

std::string grid(const Frame& frame) {
  std::string out;
  const double step = nice_step(frame.high - frame.low);
  const int count = static_cast<int>(std::lround((frame.high - frame.low) / step));
  for (int i = 0; i <= count; ++i) {
    const double value = frame.low + i * step;
    const std::string y = fixed(frame.y(value));
    out += concat("<line x1=", fixed(frame.left), " x2=", fixed(frame.right), " y1=", y, " y2=", y,
                  " stroke=\"var(--line)\"/><text x=", fixed(frame.left - 6), " y=", y,
                  " dy=4 text-anchor=end>", tick_text(value, step), "</text>");
  }
  const size_t every = std::max<size_t>(1, (frame.epochs + 9) / 10);
  for (size_t epoch = 0; epoch < frame.epochs; epoch += every)
    out += concat("<text x=", fixed(frame.x(epoch)), " y=", fixed(frame.bottom + 16), " text-anchor=middle>",
                  epoch + 1, "</text>");
  return out;
}

std::string curve_path(const Frame& frame, const Curve& curve, std::string_view colour) {
  std::string path, dots;
  bool pen_down = false;
  for (size_t i = 0; i < curve.values.size(); ++i) {
    if (!std::isfinite(curve.values[i])) {
      pen_down = false;
      continue;
    }
    const std::string x = fixed(frame.x(i)), y = fixed(frame.y(curve.values[i]));
    path += concat(pen_down ? "L" : "M", x, " ", y);
    if (curve.values.size() <= 30)
      dots += concat("<circle cx=", x, " cy=", y, " r=2.5 fill=\"", colour, "\"/>");
    pen_down = true;
  }
  return concat("<path d=\"", path, "\" fill=none stroke=\"", colour,
                "\" stroke-width=2 stroke-linejoin=round />", dots);
}

}  // namespace

std::string render_svg(const Plot& plot, int width, int height) {
  const Frame frame = frame_of(plot, width, height);
  std::string out =
      concat("<svg viewBox=\"0 0 ", width, " ", height,
             "\" font-size=11 fill=\"var(--dim)\" font-family=\"system-ui, sans-serif\">", grid(frame));
  if (plot.mark >= 0) {
    const std::string x = fixed(frame.x(static_cast<size_t>(plot.mark)));
    out += concat("<line x1=", x, " x2=", x, " y1=", fixed(frame.top), " y2=", fixed(frame.bottom),
                  " stroke=\"var(--dim)\" stroke-dasharray=\"3 3\"/>");
  }
  double legend = frame.left;
  for (size_t i = 0; i < plot.curves.size(); ++i) {
    const std::string_view colour = kColours[i % kColours.size()];
    out += curve_path(frame, plot.curves[i], colour);
    out += concat("<circle cx=", fixed(legend + 5), " cy=", height - 10, " r=4 fill=\"", colour,
                  "\"/><text x=", fixed(legend + 13), " y=", height - 6, ">", plot.curves[i].name, "</text>");
    legend += 30 + 7.0 * static_cast<double>(plot.curves[i].name.size());
  }
  return out + "</svg>";
}

}  // namespace temper
