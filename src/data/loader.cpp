#include "data/loader.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <exception>
#include <numeric>

#include "base/check.h"
#include "base/threads.h"
#include "data/order.h"

namespace temper {
namespace {

using Order = LoaderOptions::Order;
using Kind = PreprocessStep::Kind;

constexpr int64_t kSamplesPerThread = 16;  // of a window: enough that uneven pictures even out

bool has_gray(const Preprocess& preprocess) { return channels(preprocess) == 1; }

void check_channels(const Preprocess& preprocess, int channels) {
  for (const PreprocessStep& step : preprocess.steps) {
    if (channels == 1 && step.values.size() == 3) {
      throw Error(ErrorKind::invalid, concat("preprocess step '", to_string(Preprocess{{step}}),
                                             "' has three numbers, the pictures have one channel"));
    }
  }
  if (has_gray(preprocess) && channels == 3) {
    throw Error(ErrorKind::invalid, "preprocess step 'gray' leaves one channel, the model takes three");
  }
}

Image first_picture(const Dataset& dataset, int channels, bool may_skip) {
  for (int64_t i = 0;; ++i) {
    try {
      return dataset.source->picture(dataset.rows[static_cast<size_t>(i)], channels, 0);
    } catch (const Error&) {
      if (!may_skip || i + 1 == dataset.size()) throw;
    }
  }
}

// Rows of `values` that are kept move up.
void compact(Tensor& values, const std::vector<bool>& keep, int64_t kept) {
  const Shape& shape = values.shape();
  const int64_t row = values.bytes() / shape.size(0);
  std::byte* to = values.mutable_data();
  for (int64_t from = 0; from < shape.size(0); ++from) {
    if (!keep[static_cast<size_t>(from)]) continue;
    std::memmove(to, values.data() + from * row, static_cast<size_t>(row));
    to += row;
  }
  std::vector<Dim> dims = shape.dims();
  dims[0] = kept;
  values = Tensor(Type{values.dtype(), Shape(std::move(dims))}, values.storage());
}

}  // namespace

Loader::Loader(const Dataset& dataset, Preprocess preprocess, LoaderOptions options)
    : dataset_(dataset),
      preprocess_(std::move(preprocess)),
      options_(std::move(options)),
      reported_(static_cast<size_t>(dataset.size())) {
  TEMPER_CHECK(options_.batch >= 1 && dataset.source);
  if (dataset.size() == 0) throw Error(ErrorKind::invalid, "a data set without samples");
  if (options_.order == Order::balanced && dataset.kind != TargetKind::classes) {
    throw Error(ErrorKind::invalid,
                "balanced sampling takes one class per sample; these have several labels or numbers");
  }
  const bool weighs = !options_.class_weights.empty();
  TEMPER_CHECK(!weighs || options_.class_weights.size() == dataset.classes.size());
  if (!dataset.source->has_pictures()) {
    sample_shape_ = dataset.source->value_shape();
    row_type_ = {DType::f32, sample_shape_};
  } else {
    int channels = options_.channels;
    if (channels == 0) channels = has_gray(preprocess_) || dataset.source->picture_channels() == 1 ? 1 : 3;
    check_channels(preprocess_, channels);
    // Gray is taken of colours after scaling, as the steps say; of a gray picture it is that picture.
    const bool colours = has_gray(preprocess_) && dataset.source->picture_channels() != 1;
    decode_channels_ = colours ? 3 : channels;
    std::optional<PictureSize> size = output_size(preprocess_);
    if (!size) {
      const Image first = first_picture(dataset, channels, options_.on_bad_sample != nullptr);
      size = size_after(preprocess_, {first.height, first.width});
    }
    sample_shape_ = {channels, size->height, size->width};
    row_type_ = {DType::f32, sample_shape_};
    if (options_.pixels) row_type_ = {DType::u8, {size->height, size->width, channels}};
    pixel_values_ = PixelValues(preprocess_, channels);
  }
  start({});
}

int64_t Loader::batches() const { return (samples() + options_.batch - 1) / options_.batch; }

void Loader::start(LoaderPosition position) {
  TEMPER_CHECK(position.epoch >= 0 && position.sample >= 0 && position.sample <= samples(), position.sample);
  const int64_t epoch = position.epoch;
  if (options_.order == Order::shuffle) {
    order_ = shuffled(samples(), options_.seed, epoch);
  } else if (options_.order == Order::balanced) {
    order_ = balanced(dataset_.labels, options_.seed, epoch);
  } else {
    order_.resize(static_cast<size_t>(samples()));
    std::iota(order_.begin(), order_.end(), 0);
  }
  position_ = position;
  decoded_ = position.sample;
  read_ = position.sample;
  window_.clear();
}

std::optional<Batch> Loader::next() {
  while (position_.sample < samples()) {
    if (window_.empty()) fill_window();
    Batch batch = std::move(window_.front());
    window_.pop_front();
    position_.sample = std::min(samples(), position_.sample + options_.batch);
    if (!batch.indices.empty()) return batch;
  }
  if (read_ == 0) throw Error(ErrorKind::invalid, "no sample of the data set could be read");
  return std::nullopt;
}

int64_t Loader::batches_ahead() const {
  const int64_t wanted = (kSamplesPerThread * team_size() + options_.batch - 1) / options_.batch;
  const int64_t bytes = byte_size(row_type_) * options_.batch;
  return std::clamp<int64_t>(options_.window_bytes / std::max<int64_t>(1, bytes), 1, wanted);
}

void Loader::fill_window() {
  const int64_t end = std::min(samples(), decoded_ + batches_ahead() * options_.batch);
  std::vector<Batch> batches;
  for (int64_t begin = decoded_; begin < end; begin += options_.batch) {
    const auto count = std::min(options_.batch, end - begin);
    Batch batch;
    batch.indices.assign(order_.begin() + begin, order_.begin() + begin + count);
    batch.images = image_tensor(count);
    batches.push_back(std::move(batch));
  }
  // One error text per sample; empty if it was read.
  std::vector<std::string> errors(static_cast<size_t>(end - decoded_));
  std::vector<std::exception_ptr> thrown(errors.size());
  const int64_t row_bytes = byte_size(row_type_);
  parallel_for_each(end - decoded_, [&](int64_t i) {
    Batch& batch = batches[static_cast<size_t>(i / options_.batch)];
    const int64_t row = i % options_.batch;
    try {
      read(batch.indices[static_cast<size_t>(row)], batch.images.mutable_data() + row * row_bytes);
    } catch (const Error& error) {
      errors[static_cast<size_t>(i)] = error.what();
      thrown[static_cast<size_t>(i)] = std::current_exception();
    }
  });
  for (const std::exception_ptr& error : thrown) {
    if (error && !options_.on_bad_sample) std::rethrow_exception(error);
  }
  size_t first = 0;
  for (Batch& batch : batches) {
    const size_t count = batch.indices.size();
    drop_bad(batch, {errors.begin() + static_cast<std::ptrdiff_t>(first),
                     errors.begin() + static_cast<std::ptrdiff_t>(first + count)});
    first += count;
    read_ += static_cast<int64_t>(batch.indices.size());
    set_targets(batch);
    window_.push_back(std::move(batch));
  }
  decoded_ = end;
}

// A batch's memory is used again once the caller has let go of it: fresh pages cost more than decoding small
// pictures.
Tensor Loader::image_tensor(int64_t count) {
  std::vector<Dim> dims = {count};
  dims.insert(dims.end(), row_type_.shape.begin(), row_type_.shape.end());
  const Type type{row_type_.dtype, Shape(std::move(dims))};
  for (const Tensor& tensor : image_pool_) {
    if (tensor.storage().use_count() == 1 && tensor.storage()->bytes >= byte_size(type))
      return {type, tensor.storage()};
  }
  image_pool_.emplace_back(type);
  return image_pool_.back();
}

// The picture as it is in every epoch: scaled, or as decoded if a random crop comes first.
Image Loader::before_chance(int64_t row) {
  if (options_.cache_bytes > 0) {
    const std::lock_guard lock(cache_mutex_);
    if (const auto found = cache_.find(row); found != cache_.end()) return found->second;
  }
  const bool crops = options_.augment.crop > 0;
  // A crop takes part of the picture, so that more of its pixels are wanted.
  const double part = crops ? std::sqrt(options_.augment.crop) : 1;
  const int wanted = static_cast<int>(std::ceil(wanted_short_side(preprocess_) / part));
  Image picture = dataset_.source->picture(row, decode_channels_, wanted);
  if (!crops) picture = scale(std::move(picture), preprocess_);
  if (options_.cache_bytes == 0) return picture;
  const std::lock_guard lock(cache_mutex_);
  const auto bytes = static_cast<int64_t>(picture.pixels.size());
  if (cached_bytes_ + bytes <= options_.cache_bytes && cache_.emplace(row, picture).second)
    cached_bytes_ += bytes;
  return picture;
}

void Loader::read(int64_t sample, std::byte* out) {
  const int64_t row = dataset_.rows[static_cast<size_t>(sample)];
  const std::span<float> values(reinterpret_cast<float*>(out), static_cast<size_t>(sample_shape_.elements()));
  if (!dataset_.source->has_pictures()) return dataset_.source->values(row, values);
  const Augment& augment = options_.augment;
  const int64_t view = options_.views > 0 ? position_.epoch % options_.views : position_.epoch;
  const PhiloxKey key = sample_key(options_.seed, view, sample);
  Image scaled = before_chance(row);
  scaled = augment.crop > 0 ? scale_and_augment(scaled, preprocess_, augment, key)
                            : augmented(std::move(scaled), augment, key);
  const Shape found = {scaled.channels, scaled.height, scaled.width};
  if (found != sample_shape_) {
    throw Error(ErrorKind::invalid,
                concat("picture ", dataset_.name(sample), " comes to ", to_string(found), ", others to ",
                       to_string(sample_shape_), "; begin --preprocess with size:HxW"))
        .in_file(dataset_.name(sample));
  }
  if (options_.pixels) {
    std::memcpy(out, scaled.pixels.data(), scaled.pixels.size());
  } else {
    pixel_values_(scaled.pixels, values);
  }
}

void Loader::drop_bad(Batch& batch, const std::vector<std::string>& errors) {
  std::vector<bool> keep(errors.size(), true);
  std::vector<int64_t> kept;
  for (size_t i = 0; i < errors.size(); ++i) {
    const int64_t sample = batch.indices[i];
    keep[i] = errors[i].empty();
    if (keep[i]) {
      kept.push_back(sample);
    } else if (!reported_[static_cast<size_t>(sample)]) {
      reported_[static_cast<size_t>(sample)] = true;
      options_.on_bad_sample(sample, errors[i]);
    }
  }
  if (kept.size() == batch.indices.size()) return;
  compact(batch.images, keep, static_cast<int64_t>(kept.size()));
  batch.indices = std::move(kept);
}

void Loader::set_targets(Batch& batch) const {
  const auto count = static_cast<int64_t>(batch.indices.size());
  batch.weights = Tensor(Type{DType::f32, {count}});
  const std::span<float> weights = batch.weights.mutable_values<float>();
  std::fill(weights.begin(), weights.end(), 1.0F);
  if (dataset_.kind == TargetKind::classes) {
    batch.labels = Tensor(Type{DType::i64, {count}});
    const std::span<int64_t> labels = batch.labels.mutable_values<int64_t>();
    for (size_t i = 0; i < batch.indices.size(); ++i) {
      labels[i] = dataset_.labels[static_cast<size_t>(batch.indices[i])];
      if (!options_.class_weights.empty())
        weights[i] = options_.class_weights[static_cast<size_t>(labels[i])];
    }
    return;
  }
  batch.labels = Tensor(Type{DType::f32, {count, dataset_.target_width}});
  float* to = batch.labels.mutable_values<float>().data();
  for (const int64_t sample : batch.indices) {
    to = std::copy_n(dataset_.targets.begin() + sample * dataset_.target_width, dataset_.target_width, to);
  }
}

}  // namespace temper
