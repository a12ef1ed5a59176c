#pragma once
// Work in equal items that several workers, one a device, share out by how fast they are.
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

namespace temper {

// Whoever is free takes the next item. Near the end, only if the others would not be through with all that is
// left before it is with one. Not for several threads at once.
class WorkShares {
 public:
  explicit WorkShares(size_t workers) : seconds_(workers), taken_(workers), active_(workers) {}

  void start(int64_t items);  // what is known of speeds stays
  // The number of the next item; none: nothing is left for this worker, which must not ask again.
  std::optional<int64_t> next(size_t worker);
  void finished(size_t worker, double seconds);                  // with an item
  int64_t taken(size_t worker) const { return taken_[worker]; }  // of all items since it was made

 private:
  bool others_are_sooner(size_t worker) const;

  std::vector<double> seconds_;  // of an item, by worker; 0: not measured
  std::vector<int64_t> taken_;
  std::vector<bool> active_;
  int64_t next_ = 0, items_ = 0;
};

// What becomes of one item. `take` prepares it, one item at a time and in order; false: there was none, and
// there is no further one. `work` runs on the worker's own thread. `consume` runs on the caller's, in order.
struct SharedWork {
  std::function<bool(size_t worker, int64_t item)> take = {};  // optional
  std::function<void(size_t worker, int64_t item)> work;
  std::function<void(int64_t item)> consume = {};  // optional
};

// Until all items are consumed. The first exception, of whatever thread, is rethrown when all have stopped.
void share_work(WorkShares& shares, size_t workers, int64_t items, const SharedWork& work);

}  // namespace temper
