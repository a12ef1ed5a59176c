#pragma once
// Where the batches of an epoch come from: rows in memory (inputs or frozen features), or a loader that
// decodes.
#include <memory>
#include <string>
#include <vector>

#include "data/loader.h"
#include "train/frozen_part.h"
#include "train/session.h"
#include "train/targets.h"

namespace temper {

// Samples as rows of equal size. samples[i]: the data set's sample that row i is of; -1: none, the row is
// empty.
struct Rows {
  std::vector<std::string> inputs;  // data inputs of the model that reads them
  std::vector<Tensor> tensors;  // by input: [rows, ...], host memory or mapped; u8: pixels, of these values:
  PixelValues pixel_values;
  std::vector<int64_t> samples;
  int64_t count() const { return static_cast<int64_t>(samples.size()); }
  int64_t bytes() const;
};

class Batches {
 public:
  virtual ~Batches() = default;
  virtual int64_t samples() const = 0;  // per epoch
  virtual void start(LoaderPosition position) = 0;
  // Steps to the next batch and gives its size; 0 at the end of the epoch.
  virtual int64_t next() = 0;
  virtual LoaderPosition position() const = 0;           // of the batch after this one
  virtual std::span<const int64_t> indices() const = 0;  // the data set's samples of this batch
  // Writes the model's data inputs of `program` ("input.NAME"), whose batch is at least this one's size.
  virtual void fill(BoundProgram& program) = 0;
};

// The order is that of a Loader with these options. `rows` holds one block of the whole data set per view.
std::unique_ptr<Batches> batches_of_rows(std::vector<Rows> views, const Dataset& dataset,
                                         const LoaderOptions& options);

// Decodes; through `prefix` if there is one. References must outlive the result.
std::unique_ptr<Batches> batches_of_loader(Loader& loader, FrozenPart* prefix, const std::string& input);

// Writes rows 0 ... n - 1 of an input from host bytes, straight into device memory where that can be
// addressed.
void fill_rows(BoundProgram& program, const std::string& input, const std::byte* bytes, int64_t rows,
               int64_t row_bytes);

}  // namespace temper
