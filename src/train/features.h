#pragma once
// Where a data set's samples come from in every epoch: kept as rows (inputs, or what the frozen part makes of
// them) when they are the same each time and fit, else decoded anew.
#include <deque>
#include <memory>
#include <string>

#include "train/row_store.h"

namespace temper {

struct FeatureOptions {
  LoaderOptions loader;  // order and augmentation of the epochs
  Preprocess preprocess;
  const Model* model = nullptr;  // that the samples are for
  FrozenPart* prefix = nullptr;
  uint64_t prefix_fingerprint = 0;
  bool cache = true;   // --frozen-cache
  int64_t memory = 0;  // --memory; 0: what is free
};

// A data set ready for many passes. References in the options, the data set and the events must outlive it.
class FeatureSource {
 public:
  // Computes what is cached, with progress as phase "frozen"; a stop signal throws Interrupted. If the frozen
  // part has a device of its own, that waits for the first pass and goes on beside it. Says in one line what
  // is kept where, and why not if not.
  FeatureSource(const Dataset& dataset, FeatureOptions options, TrainEvents& events);
  ~FeatureSource();

  // Batches in the order of `order`; independent of one another.
  std::unique_ptr<Batches> batches(LoaderOptions::Order order, int64_t batch);

 private:
  bool streams() const;
  void fill();  // what is not complete

  const Dataset& dataset_;
  FeatureOptions options_;
  TrainEvents& events_;
  std::deque<RowStore> stores_;  // by view; empty: decode
  std::vector<std::unique_ptr<Loader>> loaders_;
};

}  // namespace temper
