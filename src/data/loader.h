#pragma once
// The batches of an epoch, decoded in windows on the OpenMP team. What comes depends on the data, the options
// and the position alone, never on the number of threads.
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "data/augment.h"
#include "data/dataset.h"
#include "data/preprocess.h"
#include "temper/tensor.h"

namespace temper {

struct Batch {
  // f32[n, channels, height, width], or f32[n, value shape...]; by LoaderOptions::pixels u8[n, height, width,
  // channels]
  Tensor images;
  Tensor labels;                 // i64[n], or f32[n, targets]
  Tensor weights;                // f32[n]
  std::vector<int64_t> indices;  // of the data set's samples
};

struct LoaderOptions {
  // by data/order.h; balanced: every class as often, small ones repeated
  enum class Order { as_stored, shuffle, balanced };
  Order order = Order::as_stored;
  int64_t batch = 32;
  uint64_t seed = 0;
  Augment augment;
  int64_t views = 0;    // augmented views per sample, taken in turn by epoch; 0: a new one each epoch
  int channels = 0;     // of a picture; 0: what preprocessing leaves, 1 if the source is gray
  bool pixels = false;  // leave pictures as bytes, for Loader::pixel_values()
  std::vector<float> class_weights;  // empty: all 1
  // Called once for a sample that cannot be read, which is then left out; unset: the error is thrown.
  std::function<void(int64_t sample, const std::string& message)> on_bad_sample;
  int64_t cache_bytes = 0;                   // most memory for pictures kept from one epoch to the next
  int64_t window_bytes = int64_t{64} << 20;  // most memory for batches decoded ahead
};

struct LoaderPosition {
  int64_t epoch = 0;
  int64_t sample = 0;  // in the epoch's order, of the next batch's first
  friend bool operator==(const LoaderPosition&, const LoaderPosition&) = default;
};

// Keeps a reference to the data set. For one thread, which has the team while next() runs.
class Loader {
 public:
  Loader(const Dataset& dataset, Preprocess preprocess, LoaderOptions options);

  const Shape& sample_shape() const { return sample_shape_; }
  const PixelValues& pixel_values() const { return pixel_values_; }
  int64_t samples() const { return dataset_.size(); }  // per epoch
  int64_t batches() const;                             // per epoch; the last may be smaller

  void start(LoaderPosition position);  // begins an epoch, or goes on within one
  LoaderPosition position() const { return position_; }

  // The next batch of the epoch; none at its end. Smaller by the bad samples left out.
  std::optional<Batch> next();

 private:
  void fill_window();
  int64_t batches_ahead() const;
  Tensor image_tensor(int64_t count);
  Batch decode(std::span<const int64_t> samples);
  void read(int64_t sample, std::byte* out);
  Image before_chance(int64_t row);
  void set_targets(Batch& batch) const;
  void drop_bad(Batch& batch, const std::vector<std::string>& errors);

  const Dataset& dataset_;
  Preprocess preprocess_;
  LoaderOptions options_;
  int decode_channels_ = 3;
  Shape sample_shape_;
  Type row_type_;  // of Batch::images, for one sample
  PixelValues pixel_values_;
  LoaderPosition position_;
  std::vector<int64_t> order_;  // of the epoch
  std::deque<Batch> window_;    // decoded ahead
  int64_t decoded_ = 0;         // of order_, up to the window's end
  int64_t read_ = 0;            // samples of this epoch that could be read
  std::vector<bool> reported_;  // bad samples
  std::mutex cache_mutex_;
  std::unordered_map<int64_t, Image> cache_;  // by row of the source
  int64_t cached_bytes_ = 0;
  std::vector<Tensor> image_pool_;  // reused when nobody else holds them
};

}  // namespace temper
