#pragma once
// The frozen part at work: on one device; or its beginning on one and its end on another.
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "train/frozen.h"

namespace temper {

class FrozenPart {
 public:
  // trainer: the device that reads the features. end: what is computed there of the frozen part, behind the
  // node `cut`; null: nothing.
  FrozenPart(std::unique_ptr<FrozenPrefix> beginning, Device& trainer,
             std::unique_ptr<FrozenPrefix> end = nullptr, std::string cut = {});

  // See FrozenPrefix.
  const std::vector<Type>& feature_types() const { return last().feature_types(); }
  std::vector<std::string> feature_names() const { return last().feature_names(); }

  // Whether its device can work while another trains.
  bool overlaps() const { return &beginning_->device() != &trainer_; }
  // Who computes what, for caches: the features of two devices are not the same bits.
  std::string devices() const;

  // f32[n, ...] -> rows first ... first + n - 1 of each of `features`, all at once.
  void compute(const Tensor& inputs, std::vector<Tensor>& features, int64_t first);
  // The same in two: `begin` may be called by another thread than `end`, which is the trainer's. What `end`
  // gives lies in `made` or in memory of its own, until it is called again.
  void begin(const Tensor& inputs, std::vector<Tensor>& made);
  const std::vector<Tensor>& end(const std::vector<Tensor>& made);

  double seconds() const { return seconds_; }  // that the beginning took so far

 private:
  const FrozenPrefix& last() const { return end_ ? *end_ : *beginning_; }

  std::unique_ptr<FrozenPrefix> beginning_, end_;
  Device& trainer_;
  std::string cut_;
  std::mutex mutex_;  // of the beginning
  std::vector<Tensor> made_, features_;
  std::atomic<double> seconds_ = 0;
};

}  // namespace temper
