#include "train/stream.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>

#include "base/threads.h"

namespace temper {
namespace {

// A batch on its way: samples, the position behind it, what the beginning of the frozen part made. No
// samples: the pass is over.
struct Passed {
  std::vector<int64_t> samples;
  LoaderPosition after;
  std::vector<Tensor> made;
  std::vector<std::pair<int64_t, std::string>> bad;  // what could not be read, and why
  std::exception_ptr error;
};

// Two batches: one is made while the other is read.
class Pipe {
 public:
  // The maker's; null: nobody wants any more.
  Passed* room() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stopped_ || made_ - read_ < slots_.size(); });
    return stopped_ ? nullptr : &slots_[made_ % slots_.size()];
  }
  void pass() {
    const std::lock_guard lock(mutex_);
    ++made_;
    changed_.notify_all();
  }

  // The reader's: the next one, which stays until the following call.
  Passed& next() {
    std::unique_lock lock(mutex_);
    if (holds_) ++read_;
    holds_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return made_ > read_; });
    return slots_[read_ % slots_.size()];
  }
  void stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }

 private:
  std::array<Passed, 2> slots_;
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t made_ = 0, read_ = 0;
  bool holds_ = false, stopped_ = false;
};

class StreamedBatches : public Batches {
 public:
  StreamedBatches(const Dataset& dataset, const Preprocess& preprocess, LoaderOptions options,
                  FrozenPart& part, std::deque<RowStore>& stores)
      : dataset_(dataset), options_(options), part_(part), stores_(stores) {
    if (options.on_bad_sample)
      options.on_bad_sample = [this](int64_t sample, const std::string& why) {
        bad_.emplace_back(sample, why);
      };
    loader_ = std::make_unique<Loader>(dataset, preprocess, std::move(options));
  }
  ~StreamedBatches() override { stop(); }

  int64_t samples() const override { return loader_->samples(); }

  void start(LoaderPosition position) override {
    stop();
    rows_.reset();
    store_ = nullptr;
    position_ = position;
    if (!stores_.empty()) {
      RowStore& store = stores_[static_cast<size_t>(position.epoch) % stores_.size()];
      if (store.complete()) {
        rows_ = batches_of_rows({store.rows()}, dataset_, options_);
        return rows_->start(position);
      }
      if (position.sample == 0) store_ = &store, store.begin();
    }
    loader_->start(position);
    pipe_ = std::make_unique<Pipe>();
    maker_ = std::thread([this, size = team_size()] {
      set_team_size(size);  // known by thread
      make();
    });
  }

  int64_t next() override {
    if (rows_) return rows_->next();
    current_ = &pipe_->next();
    for (const auto& [sample, why] : current_->bad) options_.on_bad_sample(sample, why);
    if (current_->error) std::rethrow_exception(current_->error);
    position_ = current_->after;
    if (current_->samples.empty()) {
      if (store_) std::exchange(store_, nullptr)->finish();
      return 0;
    }
    features_ = &part_.end(current_->made);
    if (store_) keep();
    return static_cast<int64_t>(current_->samples.size());
  }

  LoaderPosition position() const override { return rows_ ? rows_->position() : position_; }
  std::span<const int64_t> indices() const override { return rows_ ? rows_->indices() : current_->samples; }

  void fill(BoundProgram& program) override {
    if (rows_) return rows_->fill(program);
    const std::vector<std::string> names = part_.feature_names();
    for (size_t i = 0; i < names.size(); ++i)
      fill_rows(program, "input." + names[i], (*features_)[i].data(),
                static_cast<int64_t>(current_->samples.size()), byte_size(part_.feature_types()[i]));
  }

 private:
  // Runs on its own thread until the pass is over, or stopped, or has failed.
  void make() {
    while (Passed* const to = pipe_->room()) {
      const bool more = make_one(*to);
      pipe_->pass();
      if (!more) return;
    }
  }

  bool make_one(Passed& to) {
    to.samples.clear();
    try {
      std::optional<Batch> batch;
      do {
        batch = loader_->next();
      } while (batch && batch->indices.empty());
      to.after = loader_->position();
      if (batch) {
        part_.begin(batch->images, to.made);
        to.samples = std::move(batch->indices);
      }
    } catch (...) {
      to.error = std::current_exception();
      to.samples.clear();
    }
    to.bad = std::exchange(bad_, {});
    return !to.samples.empty();
  }

  void stop() {
    if (!maker_.joinable()) return;
    pipe_->stop();
    maker_.join();
  }

  // A sample's row has its number.
  void keep() {
    Rows& rows = store_->filling();
    for (size_t i = 0; i < rows.tensors.size(); ++i) {
      const auto bytes = static_cast<size_t>(byte_size(part_.feature_types()[i]));
      const std::byte* from = (*features_)[i].data();
      std::byte* const to = rows.tensors[i].mutable_data();
      for (const int64_t sample : current_->samples) {
        std::memcpy(to + static_cast<size_t>(sample) * bytes, from, bytes);
        from += bytes;
      }
    }
    for (const int64_t sample : current_->samples) rows.samples[static_cast<size_t>(sample)] = sample;
  }

  const Dataset& dataset_;
  LoaderOptions options_;
  FrozenPart& part_;
  std::deque<RowStore>& stores_;
  std::unique_ptr<Loader> loader_;                    // the maker's while it runs
  std::vector<std::pair<int64_t, std::string>> bad_;  // the maker's
  std::unique_ptr<Pipe> pipe_;
  std::thread maker_;
  std::unique_ptr<Batches> rows_;  // of a view that is complete
  RowStore* store_ = nullptr;      // that this pass fills
  LoaderPosition position_;
  Passed* current_ = nullptr;
  const std::vector<Tensor>* features_ = nullptr;
};

}  // namespace

std::unique_ptr<Batches> batches_of_stream(const Dataset& dataset, const Preprocess& preprocess,
                                           const LoaderOptions& options, FrozenPart& part,
                                           std::deque<RowStore>& stores) {
  return std::make_unique<StreamedBatches>(dataset, preprocess, options, part, stores);
}

}  // namespace temper
