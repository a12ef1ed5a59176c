#pragma once
// Progress of long work on standard error: a bar on a terminal, plain lines elsewhere, or JSON lines.
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper {

enum class ProgressStyle { automatic, bar, plain, json, none };
ProgressStyle progress_style(std::string_view word);  // Error invalid naming the choices

// Not thread-safe: one thread reports. Drawing is limited to ten times a second (plain: one line in ten
// seconds), so update() may be called for every step.
class Progress {
 public:
  using Values = std::vector<std::pair<std::string, double>>;  // "loss", 0.53

  explicit Progress(ProgressStyle style);  // automatic: bar if standard error is a terminal, else plain
  ~Progress();                             // clears the bar
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `phase` names the work ("epoch 2/10"); a new name starts the clock of a new phase. total 0: unknown.
  void update(std::string_view phase, int64_t done, int64_t total, const Values& values = {});
  void line(std::string_view text);  // a line that stays, above the bar; not shown in json and none
  void clear();                      // removes the bar, so that something else can be printed

  ProgressStyle style() const { return style_; }

 private:
  using Clock = std::chrono::steady_clock;
  void draw(int64_t done, int64_t total, const Values& values, double seconds);

  ProgressStyle style_;
  std::string phase_;
  Clock::time_point phase_start_, last_drawn_;
  bool visible_ = false;
};

// "0:07", "3:20", "1:02:03"
std::string clock_text(double seconds);
// "0.532", "1.20e-05": four significant digits, never longer than nine characters
std::string short_number(double value);

}  // namespace temper
