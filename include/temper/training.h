#pragma once
// Training: a loop written by hand over data and steps, or the whole job by one call.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "temper/network.h"
#include "temper/tensor.h"

namespace temper {

// Labelled samples: class folders, IDX, CSV, .npy as for `temper --data`, or tensors. Not for several threads
// at once.
class TEMPER_API Data {
 public:
  // split: "train", "val", "test". Error not_found or invalid naming what is absent.
  static Data open(const std::string& path, std::string_view split = "train");
  // inputs: f32 [samples, ...]; labels: i64 [samples], or f32 [samples, values]
  static Data of(const Tensor& inputs, const Tensor& labels);
  ~Data();
  Data(Data&&) noexcept;
  Data& operator=(Data&&) noexcept;

  int64_t size() const;
  std::vector<std::string> classes() const;

  struct Batch {
    Tensor inputs, labels;
  };
  // Calls `use` for every batch, preprocessed as the network wants it; the last may be smaller. shuffle: an
  // order of its own for each value; none: as stored. False from `use` ends it.
  void batches(const Network& network, int64_t batch, std::optional<uint64_t> shuffle,
               const std::function<bool(const Batch&)>& use) const;

 private:
  struct Body;
  explicit Data(std::unique_ptr<Body> body);
  std::unique_ptr<Body> body_;
};

struct TrainingOptions {
  std::string loss = "cross-entropy";  // bce, nll, mse, mae, huber
  std::string optimizer = "adam";      // sgd, adamw, rmsprop, adagrad
  double lr = 1e-3, momentum = 0, weight_decay = 0;
  std::string trainable = "all";  // head, last:N, bias, norm or an expression for parameter names
  uint64_t seed = 0;
  std::string device = "cpu";
  int threads = 0;  // 0: all that this process may use
};

// Forward, loss, backward and update as one program; parameters and optimizer state stay on the device.
class TEMPER_API Training {
 public:
  // `network` must outlive this and not be changed. Error invalid or unsupported as in `temper tune`.
  Training(Network& network, const TrainingOptions& options);
  ~Training();

  // One update; gives the batch's mean loss before it. A batch size that is new is compiled first.
  double step(const Tensor& inputs, const Tensor& labels);
  void set_learning_rate(double lr);
  // Writes the trained parameters back into the network, which may then be run and saved.
  void finish();

 private:
  struct Body;
  std::unique_ptr<Body> body_;
};

struct ClassReport {
  std::string label;
  double precision = 0, recall = 0, f1 = 0;
  int64_t samples = 0;
};
struct ClassificationReport {
  double accuracy = 0;
  std::vector<ClassReport> classes;
  std::vector<std::vector<int64_t>> confusion;  // [truth][prediction]
  TEMPER_API std::string text() const;          // a table for terminals
};
// By the highest score of each sample.
TEMPER_API ClassificationReport classification_report(Network& network, const Data& data,
                                                      std::string_view device = "cpu");

// The whole job, as `temper tune`: keys are its options without dashes ("model", "data", "head", ...).
// Progress lines go to `line`. Gives what `temper tune --json` prints.
TEMPER_API std::string tune(const std::map<std::string, std::string>& options,
                            const std::function<void(std::string_view)>& line = {});

}  // namespace temper
