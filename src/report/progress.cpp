#include "report/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstdio>

#include "base/json.h"
#include "base/text.h"
#include "report/table.h"
#include "temper/error.h"

namespace temper {

ProgressStyle progress_style(std::string_view word) {
  static constexpr std::array<std::pair<std::string_view, ProgressStyle>, 5> kStyles = {{
      {"auto", ProgressStyle::automatic},
      {"bar", ProgressStyle::bar},
      {"plain", ProgressStyle::plain},
      {"json", ProgressStyle::json},
      {"none", ProgressStyle::none},
  }};
  for (const auto& [name, style] : kStyles) {
    if (name == word) return style;
  }
  throw Error(ErrorKind::invalid,
              concat("--progress: expected auto, bar, plain, json or none, found '", word, "'"));
}

Progress::Progress(ProgressStyle style) : style_(style) {
  if (style_ == ProgressStyle::automatic)
    style_ = isatty(STDERR_FILENO) ? ProgressStyle::bar : ProgressStyle::plain;
}

Progress::~Progress() { clear(); }

void Progress::clear() {
  if (!visible_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  visible_ = false;
}

void Progress::update(std::string_view phase, int64_t done, int64_t total, const Values& values) {
  if (style_ == ProgressStyle::none) return;
  const Clock::time_point now = Clock::now();
  if (phase != phase_) {
    phase_ = phase;
    phase_start_ = now;
    last_drawn_ = style_ == ProgressStyle::plain ? now : Clock::time_point();
  }
  const double since = std::chrono::duration<double>(now - last_drawn_).count();
  const bool complete = total > 0 && done >= total;
  if (style_ == ProgressStyle::plain ? since < 10 : since < 0.1 && !complete) return;
  last_drawn_ = now;
  draw(done, total, values, std::chrono::duration<double>(now - phase_start_).count());
}

static int terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

void Progress::draw(int64_t done, int64_t total, const Values& values, double seconds) {
  const double share = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 0;
  if (style_ == ProgressStyle::json) {
    Json object;
    object["phase"] = phase_;
    object["done"] = done;
    if (total > 0) object["total"] = total;
    object["seconds"] = seconds;
    for (const auto& [name, value] : values) object[name] = value;
    std::fputs((object.dump() + "\n").c_str(), stderr);
    return;
  }
  std::string tail;
  for (const auto& [name, value] : values) tail += concat("  ", name, " ", short_number(value));
  if (seconds > 0.5 && done > 0)
    tail += concat("  ", short_number(static_cast<double>(done) / seconds), "/s");
  if (share > 0 && seconds > 0.5) tail += concat("  ", clock_text(seconds / share - seconds), " left");
  const std::string count = total > 0 ? concat(done, "/", total) : concat(done);
  if (style_ == ProgressStyle::plain) {
    std::fputs(concat(phase_, "  ", count, tail, "\n").c_str(), stderr);
    return;
  }
  const int room = terminal_columns() - 1 - static_cast<int>(phase_.size() + count.size() + tail.size() + 4);
  const std::string picture = total > 0 && room > 4 ? bar(share, std::min(room, 30)) + " " : "";
  std::string text = concat(phase_, "  ", picture, count, tail);
  if (picture.empty() && static_cast<int>(text.size()) >= terminal_columns())
    text.resize(static_cast<size_t>(terminal_columns() - 1));
  std::fputs(concat("\r", text, "\033[K").c_str(), stderr);
  std::fflush(stderr);
  visible_ = true;
}

void Progress::line(std::string_view text) {
  if (style_ == ProgressStyle::none || style_ == ProgressStyle::json) return;
  clear();
  std::fputs(concat(text, "\n").c_str(), stderr);
}

std::string clock_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::lround(std::max(0.0, seconds)));
  std::array<char, 32> buffer{};
  if (whole >= 3600) {
    std::snprintf(buffer.data(), buffer.size(), "%d:%02d:%02d", static_cast<int>(whole / 3600),
                  static_cast<int>(whole / 60 % 60), static_cast<int>(whole % 60));
  } else {
    std::snprintf(buffer.data(), buffer.size(), "%d:%02d", static_cast<int>(whole / 60),
                  static_cast<int>(whole % 60));
  }
  return buffer.data();
}

std::string short_number(double value) {
  std::array<char, 32> buffer{};
  const double size = std::fabs(value);
  const char* format = size != 0 && (size < 1e-3 || size >= 1e6) ? "%.2e"
                       : size >= 1000                            ? "%.0f"
                       : size >= 10                              ? "%.1f"
                                                                 : "%.4f";
  std::snprintf(buffer.data(), buffer.size(), std::isfinite(value) ? format : "%f", value);
  return buffer.data();
}

}  // namespace temper
