#pragma once
// The samples of a data set as rows, kept for later passes: in memory, or in a file of the cache.
#include <memory>
#include <string>
#include <vector>

#include "train/batches.h"
#include "train/events.h"
#include "train/tensor_file.h"

namespace temper {

inline constexpr int64_t kFeatureCache = int64_t{8} << 30;  // bytes of all files of features

// What a row is: inputs of the model that reads it, each with the type of one sample.
struct RowLayout {
  std::vector<std::string> inputs;
  std::vector<Type> types;
  int64_t bytes() const;
};

class RowStore {
 public:
  // Complete if `file` holds such rows, which a note says. file empty: they stay in memory.
  RowStore(RowLayout layout, int64_t count, std::string file, TrainEvents& events);

  bool complete() const { return complete_; }
  const Rows& rows() const { return rows_; }

  // Empty rows to be filled, of no samples yet; what was there is lost. In memory if the disk is full.
  Rows& begin();
  Rows& filling() { return rows_; }
  // All that can be filled is. The file gets its name.
  void finish();

 private:
  bool read();

  RowLayout layout_;
  int64_t count_;
  std::string file_;
  TrainEvents& events_;
  std::unique_ptr<MappedTensorFile> open_;
  Rows rows_;
  bool complete_ = false;
};

}  // namespace temper
