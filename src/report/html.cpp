#include "report/html.h"

#include <algorithm>
#include <cstdint>

#include "base/text.h"
#include "report/table.h"

namespace temper {
namespace {

constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; --ink: #1d2329; --dim: #6a737d; --line: #d9dee3; --paper: #fff; --card: #f7f8fa; --hue: 212; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --dim: #98a2ad; --line: #343b43; --paper: #15191d; --card: #1d2227; } }
body { margin: 0 auto; max-width: 64rem; padding: 2rem 1.5rem 4rem; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem } h2 { font-size: 1.1rem; margin: 2.2rem 0 .8rem }
p.summary { color: var(--dim); margin: 0 0 1.5rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; margin: 0 } dt { color: var(--dim) } dd { margin: 0; overflow-wrap: anywhere }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); gap: 1rem }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .8rem }
figcaption { font-weight: 600; margin-bottom: .3rem } svg { width: 100%; height: auto; display: block }
.wide { overflow-x: auto } table.confusion { border-collapse: collapse; font-size: 13px }
table.confusion td { min-width: 2.2rem; height: 2rem; text-align: center; border: 1px solid var(--line) }
table.confusion th { font-weight: 400; color: var(--dim); padding: .2rem .6rem; text-align: right; white-space: nowrap }
table.confusion thead th { text-align: left; writing-mode: vertical-rl; transform: rotate(180deg); padding: .6rem .2rem }
.samples { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .8rem }
.samples figure { padding: .5rem; font-size: 13px } .samples img { width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 4px }
.right { color: #1a7f37 } .wrong { color: #cf222e } .dim { color: var(--dim) }
)";

std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

std::string confusion_table(const Report& report) {
  std::string out =
      "<h2>Confusion</h2><p class=summary>Rows are the truth, columns the prediction.</p>"
      "<div class=wide><table class=confusion><thead><tr><th></th>";
  for (const std::string& label : report.labels) out += concat("<th>", escaped(label), "</th>");
  out += "</tr></thead>";
  for (size_t truth = 0; truth < report.confusion.size(); ++truth) {
    const std::vector<int64_t>& row = report.confusion[truth];
    int64_t total = 0;
    for (int64_t count : row) total += count;
    out += concat("<tr><th>", escaped(truth < report.labels.size() ? report.labels[truth] : concat(truth)),
                  "</th>");
    for (size_t guess = 0; guess < row.size(); ++guess) {
      const double share = total ? static_cast<double>(row[guess]) / static_cast<double>(total) : 0;
      const std::string_view hue = guess == truth ? "140" : "4";
      out += row[guess] ? concat("<td style=\"background:hsl(", hue, " 60% 50% / ", share * 0.75 + 0.05,
                                 ")\">", row[guess], "</td>")
                        : std::string("<td></td>");
    }
    out += "</tr>";
  }
  return out + "</table></div>";
}

std::string sample_figures(const Report& report) {
  std::string out = "<h2>Samples</h2><div class=samples>";
  for (const SamplePrediction& sample : report.samples) {
    const bool right = sample.truth == sample.prediction;
    out += "<figure>";
    if (!sample.picture.empty())
      out += concat("<img alt=\"", escaped(sample.file), "\" src=\"", sample.picture, "\">");
    out += concat("<div class=", right ? "right" : "wrong", ">", escaped(sample.prediction), " ",
                  percent_text(sample.score), "</div>");
    if (!right) out += concat("<div class=dim>is ", escaped(sample.truth), "</div>");
    out += "</figure>";
  }
  return out + "</div>";
}

}  // namespace

std::string render_html(const Report& report) {
  std::string out = concat(
      "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport "
      "content=\"width=device-width\"><title>",
      escaped(report.title), "</title><style>", kStyle, "</style><h1>", escaped(report.title),
      "</h1><p class=summary>", escaped(report.summary), "</p><dl>");
  for (const auto& [name, value] : report.facts)
    out += concat("<dt>", escaped(name), "</dt><dd>", escaped(value), "</dd>");
  out += "</dl>";
  if (!report.plots.empty()) out += "<h2>Curves</h2><div class=plots>";
  for (const Plot& plot : report.plots)
    out += concat("<figure><figcaption>", escaped(plot.title), "</figcaption>", render_svg(plot, 480, 260),
                  "</figure>");
  if (!report.plots.empty()) out += "</div>";
  if (!report.confusion.empty()) out += confusion_table(report);
  if (!report.samples.empty()) out += sample_figures(report);
  return out + "</html>\n";
}

std::string base64(std::string_view bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t word = 0;
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    for (size_t k = 0; k < 3; ++k)
      word = word << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (size_t k = 0; k < 4; ++k) out += k <= count ? kDigits[word >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

}  // namespace temper
