#include "train/batches.h"

#include <algorithm>
#include <cstring>

#include "data/order.h"

namespace temper {
namespace {

// An input of a program that the host may write: its own memory, or a copy that is sent by `done`.
class HostInput {
 public:
  HostInput(BoundProgram& program, const std::string& name) : program_(program), name_(name) {
    Tensor& input = program.input(name);
    direct_ = input.storage()->data && input.storage()->layout == 0 && !input.storage()->read_only;
    if (!direct_) staging_ = Tensor(input.type());
  }
  std::byte* data() {
    return direct_ ? static_cast<std::byte*>(program_.input(name_).storage()->data) : staging_.mutable_data();
  }
  void done() {
    if (!direct_) program_.fill(name_, staging_);
  }

 private:
  BoundProgram& program_;
  const std::string& name_;
  bool direct_ = false;
  Tensor staging_;
};

// Rows of a shuffled order are in no cache: small ones are asked for some rows before they are read.
constexpr size_t kAhead = 4;
void fetch(const std::byte* row, size_t bytes) {
  constexpr size_t kLine = 64, kMost = 4096;
  for (size_t at = 0; at < std::min(bytes, kMost); at += kLine) __builtin_prefetch(row + at);
}

class RowBatches : public Batches {
 public:
  RowBatches(std::vector<Rows> views, const Dataset& dataset, const LoaderOptions& options)
      : views_(std::move(views)), options_(options) {
    for (const std::string& name : views_.front().inputs) ports_.push_back("input." + name);
    for (const Rows& rows : views_) {
      std::vector<int64_t>& row_of = row_of_.emplace_back(static_cast<size_t>(dataset.size()), -1);
      for (size_t row = 0; row < rows.samples.size(); ++row) {
        if (rows.samples[row] >= 0)
          row_of[static_cast<size_t>(rows.samples[row])] = static_cast<int64_t>(row);
      }
    }
    if (options.order == LoaderOptions::Order::balanced) classes_ = dataset.labels;
  }

  int64_t samples() const override { return static_cast<int64_t>(row_of_.front().size()); }

  void start(LoaderPosition position) override {
    epoch_ = position.epoch;
    view_ = static_cast<size_t>(epoch_) % views_.size();
    const int64_t count = samples();
    if (options_.order == LoaderOptions::Order::shuffle) {
      order_ = shuffled(count, options_.seed, position.epoch);
    } else if (options_.order == LoaderOptions::Order::balanced) {
      order_ = balanced(classes_, options_.seed, position.epoch);
    } else if (order_.empty()) {
      order_.resize(static_cast<size_t>(count));
      for (int64_t i = 0; i < count; ++i) order_[static_cast<size_t>(i)] = i;
    }
    // A sample that could not be read leaves its batch smaller, as a loader does.
    next_ = static_cast<size_t>(position.sample);
  }

  int64_t next() override {
    batch_.clear();
    while (batch_.empty() && next_ < order_.size()) {
      const size_t end = std::min(order_.size(), next_ + static_cast<size_t>(options_.batch));
      for (; next_ < end; ++next_) {
        if (row_of_[view_][static_cast<size_t>(order_[next_])] >= 0) batch_.push_back(order_[next_]);
      }
    }
    return static_cast<int64_t>(batch_.size());
  }

  LoaderPosition position() const override { return {epoch_, static_cast<int64_t>(next_)}; }
  std::span<const int64_t> indices() const override { return batch_; }

  void fill(BoundProgram& program) override {
    const Rows& rows = views_[view_];
    for (size_t i = 0; i < ports_.size(); ++i) {
      const Tensor& from = rows.tensors[i];
      const auto bytes = static_cast<size_t>(from.bytes() / std::max<int64_t>(1, rows.count()));
      const bool pixels = from.dtype() == DType::u8;
      HostInput input(program, ports_[i]);
      std::byte* out = input.data();
      const auto row_of = [&](size_t k) {
        return from.data() + static_cast<size_t>(row_of_[view_][static_cast<size_t>(batch_[k])]) * bytes;
      };
      for (size_t k = 0; k < batch_.size(); ++k) {
        if (k + kAhead < batch_.size()) fetch(row_of(k + kAhead), bytes);
        if (pixels) {
          rows.pixel_values({reinterpret_cast<const uint8_t*>(row_of(k)), bytes},
                            {reinterpret_cast<float*>(out), bytes});
          out += bytes * sizeof(float);
        } else {
          std::memcpy(out, row_of(k), bytes);
          out += bytes;
        }
      }
      input.done();
    }
  }

 private:
  std::vector<Rows> views_;
  LoaderOptions options_;
  std::vector<std::string> ports_;
  std::vector<std::vector<int64_t>> row_of_;  // by view and sample; -1: could not be read
  std::vector<int64_t> classes_;              // by sample, for balanced
  std::vector<int64_t> order_, batch_;
  int64_t epoch_ = 0;
  size_t view_ = 0, next_ = 0;
};

class LoaderBatches : public Batches {
 public:
  LoaderBatches(Loader& loader, FrozenPart* prefix, const std::string& input)
      : loader_(loader), prefix_(prefix), port_("input." + input) {}

  int64_t samples() const override { return loader_.samples(); }
  void start(LoaderPosition position) override { loader_.start(position); }

  int64_t next() override {
    do {
      batch_ = loader_.next();
    } while (batch_ && batch_->indices.empty());
    if (!batch_) return 0;
    if (prefix_) compute();
    return static_cast<int64_t>(batch_->indices.size());
  }

  LoaderPosition position() const override { return loader_.position(); }
  std::span<const int64_t> indices() const override { return batch_->indices; }

  void fill(BoundProgram& program) override {
    const auto count = static_cast<int64_t>(batch_->indices.size());
    if (!prefix_)
      return fill_rows(program, port_, batch_->images.data(), count, batch_->images.bytes() / count);
    const std::vector<std::string> names = prefix_->feature_names();
    for (size_t i = 0; i < names.size(); ++i) {
      fill_rows(program, "input." + names[i], features_[i].data(), count,
                byte_size(prefix_->feature_types()[i]));
    }
  }

 private:
  void compute() {
    const auto count = static_cast<int64_t>(batch_->indices.size());
    if (features_.empty() || features_count_ < count) {
      features_.clear();
      for (Type type : prefix_->feature_types()) {
        type.shape[0] = type.shape.size(0) * count;
        features_.emplace_back(type);
      }
      features_count_ = count;
    }
    prefix_->compute(batch_->images, features_, 0);
  }

  Loader& loader_;
  FrozenPart* prefix_;
  std::string port_;
  std::optional<Batch> batch_;
  std::vector<Tensor> features_;
  int64_t features_count_ = 0;
};

}  // namespace

int64_t Rows::bytes() const {
  int64_t sum = 0;
  for (const Tensor& tensor : tensors) sum += tensor.bytes();
  return sum;
}

std::unique_ptr<Batches> batches_of_rows(std::vector<Rows> views, const Dataset& dataset,
                                         const LoaderOptions& options) {
  return std::make_unique<RowBatches>(std::move(views), dataset, options);
}

std::unique_ptr<Batches> batches_of_loader(Loader& loader, FrozenPart* prefix, const std::string& input) {
  return std::make_unique<LoaderBatches>(loader, prefix, input);
}

void fill_rows(BoundProgram& program, const std::string& name, const std::byte* bytes, int64_t rows,
               int64_t row_bytes) {
  HostInput input(program, name);
  std::memcpy(input.data(), bytes, static_cast<size_t>(rows * row_bytes));
  input.done();
}

}  // namespace temper
