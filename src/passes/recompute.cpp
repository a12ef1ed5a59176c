#include "passes/recompute.h"

#include <algorithm>
#include <numeric>
#include <queue>

#include "base/check.h"

namespace temper {

namespace {

using Dropped = std::vector<char>;  // by value: not kept over its longest rest

// What does not change while plans are tried.
struct Facts {
  explicit Facts(const Schedule& all) : schedule(all) {
    const size_t count = all.values.size();
    producer.assign(count, -1);
    last_use.assign(count, -1);
    rest.assign(count, -1);
    std::vector<int> seen(count, -1), longest(count, 0);
    for (int i = 0; i < steps(); ++i) {
      const ScheduleStep& step = all.steps[static_cast<size_t>(i)];
      for (const int v : step.reads) {
        const auto at = static_cast<size_t>(v);
        if (!all.values[at].temporary) continue;
        TEMPER_CHECK(producer[at] >= 0, "step ", i, " reads value ", v, " before it is written");
        if (i - seen[at] > longest[at]) longest[at] = i - seen[at], rest[at] = seen[at];
        seen[at] = last_use[at] = i;
      }
      for (const int v : step.writes) producer[static_cast<size_t>(v)] = seen[static_cast<size_t>(v)] = i;
      for (const int v : step.writes)
        last_use[static_cast<size_t>(v)] = std::max(last_use[static_cast<size_t>(v)], i);
    }
    for (size_t v = 0; v < count; ++v)
      if (longest[v] > kShortRest && all.values[v].bytes > 0) candidates.push_back(static_cast<int>(v));
  }

  int steps() const { return static_cast<int>(schedule.steps.size()); }
  bool temporary(int v) const { return schedule.values[static_cast<size_t>(v)].temporary; }
  int64_t bytes(int v) const { return schedule.values[static_cast<size_t>(v)].bytes; }

  static constexpr int kShortRest = 2;  // steps

  const Schedule& schedule;
  std::vector<int> producer, last_use;  // by value: steps, or -1
  std::vector<int> rest;                // by value: the step before the longest time that nobody reads it
  std::vector<int> candidates;          // values that may be dropped while they rest
};

// Goes through the steps and computes again what was dropped when it is asked for.
class Trial {
 public:
  explicit Trial(const Facts& facts) : f_(facts) {}

  // False if a step that has to run again reads what is overwritten by then, or if there is no end to it.
  bool go(const Dropped& dropped) {
    here_.assign(f_.schedule.values.size(), -1);
    copies_.clear();
    pairs_.clear();
    runs_.clear();
    operands_.clear();
    spare_.clear();
    first_.assign(f_.schedule.values.size(), -1);
    last_ = first_;
    cost_ = 0;
    for (int i = 0; i < f_.steps(); ++i) {
      const ScheduleStep& step = f_.schedule.steps[static_cast<size_t>(i)];
      for (const int v : step.reads)
        if (f_.temporary(v) && !find(v, i)) return false;
      record(i, false);
      for (const auto* values : {&step.reads, &step.writes})
        for (const int v : *values)
          if (f_.last_use[at(v)] <= i || (dropped[at(v)] && f_.rest[at(v)] == i)) here_[at(v)] = -1;
      for (const int v : spare_) here_[at(v)] = -1;
      spare_.clear();
    }
    measure();
    return true;
  }

  double cost() const { return cost_; }
  int64_t peak() const { return held_.empty() ? 0 : *std::max_element(held_.begin(), held_.end()); }

  // Bytes above `limit`, summed over the runs.
  double excess(int64_t limit) const {
    double sum = 0;
    for (const int64_t bytes : held_) sum += static_cast<double>(std::max<int64_t>(0, bytes - limit));
    return sum;
  }

  Recomputation result() const {
    Recomputation result{.copies = copies_, .cost = cost_, .peak = peak()};
    for (const Run& run : runs_) {
      const ScheduleStep& step = f_.schedule.steps[at(run.step)];
      const int* value = operands_.data() + run.operands;
      StepRun& out = result.runs.emplace_back(StepRun{run.step, run.again});
      out.reads.assign(value, value + step.reads.size());
      out.writes.assign(value + step.reads.size(), value + step.reads.size() + step.writes.size());
    }
    return result;
  }

 private:
  static constexpr size_t kMostRuns = 4;  // of a step, on average

  struct Run {
    int step;
    bool again;
    size_t operands;  // where its reads and writes begin
  };
  struct Pair {
    int run, from, to;
  };

  static size_t at(int i) { return static_cast<size_t>(i); }

  bool find(int v, int before) {
    if (here_[at(v)] >= 0) return true;
    if (runs_.size() > kMostRuns * f_.schedule.steps.size()) return false;
    const int step = f_.producer[at(v)];
    for (const int u : f_.schedule.steps[at(step)].reads) {
      if (f_.temporary(u) ? !find(u, before) : f_.schedule.values[at(u)].overwritten < before) return false;
    }
    cost_ += f_.schedule.steps[at(step)].cost;
    record(step, true);
    for (const int w : f_.schedule.steps[at(step)].writes)
      if (f_.last_use[at(w)] < before) spare_.push_back(w);
    return true;
  }

  void record(int number, bool again) {
    const ScheduleStep& step = f_.schedule.steps[at(number)];
    const int run = static_cast<int>(runs_.size());
    runs_.push_back({number, again, operands_.size()});
    for (const int v : step.reads) {
      const int copy = f_.temporary(v) ? here_[at(v)] : v;
      last_[at(copy)] = run;
      operands_.push_back(copy);
    }
    for (const int v : step.writes) {
      int copy = v;
      if (again) {
        copy = static_cast<int>(f_.schedule.values.size() + copies_.size());
        copies_.push_back(v);
        first_.push_back(-1);
        last_.push_back(-1);
      }
      if (f_.temporary(v) && here_[at(v)] < 0) here_[at(v)] = copy;
      if (again || f_.temporary(v)) first_[at(copy)] = last_[at(copy)] = run;
      operands_.push_back(copy);
    }
    for (const auto& [from, to] : step.in_place)
      if (f_.temporary(from) && f_.temporary(to)) pairs_.push_back({run, here_[at(from)], here_[at(to)]});
  }

  int64_t bytes_of(int copy) const {
    const auto count = f_.schedule.values.size();
    return f_.bytes(at(copy) < count ? copy : copies_[at(copy) - count]);
  }

  void measure() {
    held_.assign(runs_.size(), 0);
    for (size_t i = 0; i < first_.size(); ++i) {
      if (first_[i] < 0) continue;
      const int64_t bytes = bytes_of(static_cast<int>(i));
      held_[at(first_[i])] += bytes;
      if (at(last_[i]) + 1 < held_.size()) held_[at(last_[i]) + 1] -= bytes;
    }
    std::partial_sum(held_.begin(), held_.end(), held_.begin());
    int run = -1, given = -1, taken = -1;  // of the pair before: a value gives its memory once, and takes one
    for (const Pair& pair : pairs_) {
      const bool again = pair.run == run && (pair.from == given || pair.to == taken);
      if (again || last_[at(pair.from)] != pair.run || first_[at(pair.to)] != pair.run ||
          bytes_of(pair.from) != bytes_of(pair.to))
        continue;
      held_[at(pair.run)] -= bytes_of(pair.to);
      run = pair.run, given = pair.from, taken = pair.to;
    }
  }

  const Facts& f_;
  std::vector<int> here_;          // by value: the copy that is at hand, or -1
  std::vector<int> spare_;         // values made for this step alone
  std::vector<int> copies_;        // by copy: its value
  std::vector<int> first_, last_;  // by value and copy: runs, or -1 where it has no memory of its own
  std::vector<Run> runs_;
  std::vector<int> operands_;
  std::vector<Pair> pairs_;
  std::vector<int64_t> held_;  // by run
  double cost_ = 0;
};

class Search {
 public:
  explicit Search(const Schedule& schedule) : f_(schedule), trial_(f_) {}

  void run(const std::function<bool(const Recomputation&)>& take) {
    const Dropped none(f_.schedule.values.size(), 0);
    TEMPER_CHECK(trial_.go(none), "a schedule that cannot run");
    keep(none);
    leave_out_small();
    if (!f_.candidates.empty()) {
      allowed_ = kEffort / 2;
      descend(none);
      allowed_ = kEffort * 3 / 4;
      cut_into_segments();
      allowed_ = kEffort;
      descend(std::ranges::min_element(found_, {}, &Plan::peak)->dropped);
    }
    offer(take);
  }

 private:
  static constexpr double kRung = 0.96;         // of a peak to the next that is tried
  static constexpr int64_t kEffort = 40000000;  // steps gone through, in all
  static constexpr int kSegmentations = 20;

  struct Plan {
    Dropped dropped;
    double cost;
    int64_t peak;
  };

  bool go(const Dropped& dropped) {
    effort_ += f_.steps();
    return trial_.go(dropped);
  }
  bool tired() const { return effort_ > allowed_; }
  void keep(const Dropped& dropped) { found_.push_back({dropped, trial_.cost(), trial_.peak()}); }

  // What does not matter beside the peak.
  void leave_out_small() {
    const int64_t least = trial_.peak() / 2000;
    std::erase_if(f_.candidates, [&](int v) { return f_.bytes(v) < least; });
  }

  // One value after the other, the one that takes most above the rung for the least cost.
  void descend(Dropped dropped) {
    for (;;) {
      if (!go(dropped)) return;
      const auto rung = static_cast<int64_t>(kRung * static_cast<double>(trial_.peak()));
      if (!reach(dropped, rung)) return;
      go(dropped);
      keep(dropped);
      keep_without_waste(dropped, trial_.peak());
    }
  }

  struct Choice {
    double worth;
    int value;
    bool operator<(const Choice& other) const {
      return worth != other.worth ? worth < other.worth : value > other.value;
    }
  };

  static Choice take(std::priority_queue<Choice>& choices) {
    const Choice top = choices.top();
    choices.pop();
    return top;
  }

  bool reach(Dropped& dropped, int64_t rung) {
    std::priority_queue<Choice> choices;
    double excess = trial_.excess(rung), cost = trial_.cost();
    const auto worth = [&](int v) {
      dropped[static_cast<size_t>(v)] = 1;
      const bool possible = go(dropped);
      dropped[static_cast<size_t>(v)] = 0;
      const double less = excess - trial_.excess(rung), more = trial_.cost() - cost;
      return !possible || less <= 0 ? 0.0 : less / std::max(more, 1e-9 * less);
    };
    std::vector<int> open;
    for (const int v : f_.candidates)
      if (!dropped[static_cast<size_t>(v)]) open.push_back(v);
    while (excess > 0) {
      for (const int v : open)
        if (const double w = worth(v); w > 0) choices.push({w, v});
      open.clear();
      if (choices.empty() || tired()) return false;
      // What a choice is worth changes with those before it.
      Choice top = take(choices);
      top.worth = worth(top.value);
      while (!choices.empty() && top.worth < choices.top().worth) {
        const Choice next = take(choices);
        if (top.worth > 0) choices.push(top);
        top = {worth(next.value), next.value};
      }
      if (top.worth <= 0) return false;
      dropped[static_cast<size_t>(top.value)] = 1;
      go(dropped);
      excess = trial_.excess(rung), cost = trial_.cost();
    }
    return true;
  }

  // Keeps again what does not have to be dropped for `peak`, the dearest first.
  void keep_without_waste(Dropped dropped, int64_t peak) {
    std::vector<int> order;
    for (const int v : f_.candidates)
      if (dropped[static_cast<size_t>(v)]) order.push_back(v);
    const auto cost = [&](int v) {
      return f_.schedule.steps[static_cast<size_t>(f_.producer[static_cast<size_t>(v)])].cost;
    };
    std::ranges::stable_sort(order, [&](int a, int b) { return cost(a) > cost(b); });
    if (!go(dropped)) return;
    double least = trial_.cost();
    for (const int v : order) {
      if (tired()) break;
      dropped[static_cast<size_t>(v)] = 0;
      const bool better = go(dropped) && trial_.peak() <= peak && trial_.cost() < least;
      if (better) least = trial_.cost();
      if (!better) dropped[static_cast<size_t>(v)] = 1;
    }
    if (go(dropped)) keep(dropped);
  }

  // Keeps only what crosses a few cuts through the forward part; between two cuts everything is computed
  // again at once.
  void cut_into_segments() {
    std::vector<int> order = f_.candidates;
    std::ranges::stable_sort(order, {}, [&](int v) { return f_.producer[static_cast<size_t>(v)]; });
    int64_t total = 0;
    for (const int v : order) total += f_.bytes(v);
    const std::vector<int64_t> crossing = bytes_that_cross();
    double segment = static_cast<double>(total);
    for (int i = 0; i < kSegmentations && !tired(); ++i, segment *= 0.8) {
      const Dropped dropped = segmented(order, static_cast<int64_t>(segment), crossing);
      if (!go(dropped)) continue;
      keep(dropped);
      keep_without_waste(dropped, trial_.peak());
    }
  }

  // By step: what is read after it in the forward part. What nobody reads later on would have to be kept for
  // the cut alone, so it counts more.
  std::vector<int64_t> bytes_that_cross() const {
    constexpr int64_t kForTheCut = 4;
    std::vector<int64_t> crossing(f_.schedule.steps.size() + 1, 0);
    std::vector<char> rests(f_.schedule.values.size(), 0);
    for (const int v : f_.candidates) rests[static_cast<size_t>(v)] = 1;
    for (size_t v = 0; v < rests.size(); ++v) {
      if (f_.producer[v] < 0 || !f_.temporary(static_cast<int>(v))) continue;
      const int end = rests[v] ? f_.rest[v] : f_.last_use[v];
      const int64_t bytes = f_.bytes(static_cast<int>(v)) * (rests[v] ? 1 : kForTheCut);
      crossing[static_cast<size_t>(f_.producer[v])] += bytes;
      crossing[static_cast<size_t>(end)] -= bytes;
    }
    std::partial_sum(crossing.begin(), crossing.end(), crossing.begin());
    return crossing;
  }

  Dropped segmented(const std::vector<int>& order, int64_t segment,
                    const std::vector<int64_t>& crossing) const {
    Dropped dropped(f_.schedule.values.size(), 0);
    for (const int v : order) dropped[static_cast<size_t>(v)] = 1;
    int64_t bytes = 0;
    size_t half = 0;
    for (size_t i = 0; i < order.size(); ++i) {
      bytes += f_.bytes(order[i]);
      if (bytes < segment / 2) half = i;
      if (bytes < segment) continue;
      int cut = f_.producer[static_cast<size_t>(order[i])];
      for (size_t k = half; k <= i; ++k) {
        const int at = f_.producer[static_cast<size_t>(order[k])];
        if (crossing[static_cast<size_t>(at)] < crossing[static_cast<size_t>(cut)]) cut = at;
      }
      for (const int v : order)
        if (f_.producer[static_cast<size_t>(v)] <= cut && f_.rest[static_cast<size_t>(v)] > cut)
          dropped[static_cast<size_t>(v)] = 0;
      while (f_.producer[static_cast<size_t>(order[i])] > cut) --i;
      bytes = 0;
      half = i + 1;
    }
    return dropped;
  }

  void offer(const std::function<bool(const Recomputation&)>& take) {
    std::ranges::stable_sort(found_, [](const Plan& a, const Plan& b) {
      return a.cost != b.cost ? a.cost < b.cost : a.peak < b.peak;
    });
    int64_t least = std::numeric_limits<int64_t>::max();
    for (const Plan& plan : found_) {
      if (plan.peak >= least) continue;
      least = plan.peak;
      trial_.go(plan.dropped);
      if (take(trial_.result())) return;
    }
  }

  Facts f_;
  Trial trial_;
  int64_t effort_ = 0, allowed_ = 0;
  std::vector<Plan> found_;
};

}  // namespace

void recomputations(const Schedule& schedule, const std::function<bool(const Recomputation&)>& take) {
  Search(schedule).run(take);
}

}  // namespace temper
