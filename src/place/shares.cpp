#include "place/shares.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <set>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/threads.h"

namespace temper {
namespace {

class Sharing {
 public:
  Sharing(WorkShares& shares, int64_t items, const SharedWork& work) : shares_(shares), work_(work) {
    shares_.start(items);
  }

  void run(size_t workers) {
    std::vector<std::thread> threads;
    working_ = workers;
    begun_.resize(workers);
    for (size_t worker = 0; worker < workers; ++worker)
      threads.emplace_back([this, worker, size = team_size()] {
        set_team_size(size);  // known by thread
        work_on(worker);
      });
    consume();
    for (std::thread& thread : threads) thread.join();
    if (error_) std::rethrow_exception(error_);
  }

 private:
  template <class Function>
  void guard(Function&& function) {
    try {
      function();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
  }

  void work_on(size_t worker) {
    guard([&] {
      while (const std::optional<int64_t> item = take(worker)) {
        const auto start = std::chrono::steady_clock::now();
        work_.work(worker, *item);
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        const std::lock_guard lock(mutex_);
        shares_.finished(worker, took.count());
        done_.insert(*item);
        changed_.notify_all();
      }
    });
    const std::lock_guard lock(mutex_);
    --working_;
    changed_.notify_all();
  }

  // One at a time: an item is prepared before the next is given away. Each worker has one before any has two.
  std::optional<int64_t> take(size_t worker) {
    if (begun_[worker]) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return all_begun_ == begun_.size() || working_ < begun_.size() || error_; });
    }
    const std::lock_guard turn(taking_);
    std::optional<int64_t> item;
    {
      const std::lock_guard lock(mutex_);
      if (error_ || exhausted_) return std::nullopt;
      item = shares_.next(worker);
      if (!std::exchange(begun_[worker], true)) {
        ++all_begun_;
        changed_.notify_all();
      }
    }
    if (!item || !work_.take || work_.take(worker, *item)) return item;
    const std::lock_guard lock(mutex_);
    exhausted_ = true;
    return std::nullopt;
  }

  void consume() {
    guard([&] {
      for (int64_t item = 0;; ++item) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return error_ || done_.contains(item) || working_ == 0; });
        if (error_ || done_.erase(item) == 0) return;
        lock.unlock();
        if (work_.consume) work_.consume(item);
      }
    });
  }

  WorkShares& shares_;
  const SharedWork& work_;
  std::mutex taking_, mutex_;  // mutex_: of all below
  std::condition_variable changed_;
  std::set<int64_t> done_;
  std::deque<bool> begun_;  // by worker, whose own it is
  size_t all_begun_ = 0, working_ = 0;
  bool exhausted_ = false;
  std::exception_ptr error_;
};

}  // namespace

void WorkShares::start(int64_t items) {
  next_ = 0;
  items_ = items;
  active_.assign(active_.size(), true);
}

bool WorkShares::others_are_sooner(size_t worker) const {
  const double own = seconds_[worker];
  if (own == 0) return false;
  double by_then = 0;  // items that the others are through with before this one is with its
  for (size_t i = 0; i < seconds_.size(); ++i) {
    if (i == worker || !active_[i] || seconds_[i] == 0 || seconds_[i] >= own) continue;
    by_then += static_cast<double>(static_cast<int64_t>(own / seconds_[i]));
  }
  return by_then >= static_cast<double>(items_ - next_);
}

std::optional<int64_t> WorkShares::next(size_t worker) {
  TEMPER_CHECK(active_[worker], "worker ", worker, " is through");
  if (next_ == items_ || others_are_sooner(worker)) {
    active_[worker] = false;
    return std::nullopt;
  }
  ++taken_[worker];
  return next_++;
}

void WorkShares::finished(size_t worker, double seconds) {
  double& known = seconds_[worker];
  known = std::max(known == 0 ? seconds : (known + seconds) / 2, 1e-9);
}

void share_work(WorkShares& shares, size_t workers, int64_t items, const SharedWork& work) {
  Sharing(shares, items, work).run(workers);
}

}  // namespace temper
