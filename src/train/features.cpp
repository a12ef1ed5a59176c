#include "train/features.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "base/cache_folder.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"
#include "formats/safetensors.h"
#include "train/interrupt.h"
#include "train/setup.h"
#include "train/tensor_file.h"

namespace temper {
namespace {

constexpr int64_t kCacheLimit = int64_t{8} << 30;  // bytes of all frozen features on disk
constexpr int64_t kDecodeBatch = 32;

// Names, sizes and times of the files behind a data set; none if a sample is not in a file of its name.
std::optional<uint64_t> fingerprint(const Dataset& dataset) {
  Hasher hasher;
  std::string last;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const std::string name = dataset.name(i), file = name.substr(0, name.rfind('#'));
    hasher.add(name);
    if (file == last) continue;
    struct stat status = {};
    if (stat(file.c_str(), &status) != 0) return std::nullopt;
    hasher.add(static_cast<uint64_t>(status.st_size)).add(static_cast<uint64_t>(status.st_mtim.tv_sec));
    hasher.add(static_cast<uint64_t>(status.st_mtim.tv_nsec));
    last = file;
  }
  return hasher.digest();
}

Type rows_type(Type sample, int64_t count) {
  sample.shape[0] = sample.shape.size(0) * count;
  return sample;
}

// What a row of a data set is: inputs of the model that reads it, each with the type of one sample.
struct RowLayout {
  std::vector<std::string> inputs;
  std::vector<Type> types;
  int64_t bytes() const {
    int64_t sum = 0;
    for (const Type& type : types) sum += byte_size(type);
    return sum;
  }
};

const std::string& data_input(const FeatureOptions& options) {
  const Graph& graph = options.model->graph;
  return graph.inputs[static_cast<size_t>(data_inputs(*options.model).front())].name;
}

// Pictures that no prefix reads stay pixels: a quarter of the memory.
RowLayout layout_of(const FeatureOptions& options, const Dataset& dataset, const Shape& sample) {
  if (options.prefix) return {options.prefix->feature_names(), options.prefix->feature_types()};
  if (dataset.source->has_pictures())
    return {{data_input(options)}, {Type{DType::u8, {1, sample[1], sample[2], sample[0]}}}};
  Shape shape = {1};
  for (const Dim& dim : sample) shape.push_back(dim);
  return {{data_input(options)}, {Type{DType::f32, shape}}};
}

// Rows that a cache file holds, or nothing if it is of another kind.
std::optional<Rows> rows_of_file(const std::string& path, const RowLayout& layout, int64_t count) {
  Safetensors file = read_safetensors_file(path);
  Rows rows{.inputs = layout.inputs, .tensors = {}, .pixel_values = {}, .samples = {}};
  for (size_t i = 0; i < layout.inputs.size(); ++i) {
    const Tensor& tensor = file.tensors[layout.inputs[i]];
    if (tensor.empty() || tensor.type() != rows_type(layout.types[i], count)) return std::nullopt;
    rows.tensors.push_back(tensor);
  }
  const Tensor& samples = file.tensors["samples"];
  if (samples.empty() || samples.type() != Type{DType::i64, {count}}) return std::nullopt;
  for (int64_t sample : samples.values<int64_t>()) {
    if (sample >= count) return std::nullopt;
    rows.samples.push_back(sample);
  }
  return rows;
}

class Filling {
 public:
  Filling(const Dataset& dataset, const FeatureOptions& options, TrainEvents& events)
      : dataset_(dataset), options_(options), events_(events) {}

  // Writes every sample of a view's pass into `rows`; -1 marks rows that stay empty for broken samples.
  void fill(Rows& rows, int64_t view, int64_t views) {
    LoaderOptions loading = options_.loader;
    loading.order = LoaderOptions::Order::as_stored;
    loading.batch = kDecodeBatch;
    loading.pixels = !options_.prefix && dataset_.source->has_pictures();
    Loader loader(dataset_, options_.preprocess, loading);
    loader.start({view, 0});
    rows.pixel_values = loader.pixel_values();
    const int64_t count = dataset_.size();
    std::ranges::fill(rows.samples, -1);
    int64_t row = 0;
    while (const std::optional<Batch> batch = loader.next()) {
      const auto size = static_cast<int64_t>(batch->indices.size());
      if (size == 0) continue;
      if (options_.prefix) {
        options_.prefix->compute(batch->images, rows.tensors, row);
      } else {
        const int64_t bytes = batch->images.bytes() / size;
        std::memcpy(rows.tensors[0].mutable_data() + row * bytes, batch->images.data(),
                    static_cast<size_t>(size * bytes));
      }
      std::ranges::copy(batch->indices, rows.samples.begin() + row);
      row += size;
      events_.progress(options_.prefix ? "frozen" : "load", view * count + row, views * count, {});
      stop_if_asked();
    }
  }

 private:
  const Dataset& dataset_;
  const FeatureOptions& options_;
  TrainEvents& events_;
};

Rows empty_rows(const RowLayout& layout, int64_t count) {
  Rows rows{.inputs = layout.inputs,
            .tensors = {},
            .pixel_values = {},
            .samples = std::vector<int64_t>(static_cast<size_t>(count), -1)};
  for (const Type& type : layout.types) rows.tensors.emplace_back(rows_type(type, count));
  return rows;
}

// Fills a file that becomes the cache's when it is complete.
Rows fill_file(const std::string& path, const RowLayout& layout, int64_t count, int64_t view, int64_t views,
               Filling& filling) {
  std::vector<std::pair<std::string, Type>> types;
  for (size_t i = 0; i < layout.inputs.size(); ++i)
    types.emplace_back(layout.inputs[i], rows_type(layout.types[i], count));
  types.emplace_back("samples", Type{DType::i64, {count}});
  MappedTensorFile file(path, types, {});
  Rows rows{.inputs = layout.inputs,
            .tensors = {},
            .pixel_values = {},
            .samples = std::vector<int64_t>(static_cast<size_t>(count), -1)};
  for (const std::string& name : layout.inputs) rows.tensors.push_back(file.tensor(name));
  filling.fill(rows, view, views);
  std::ranges::copy(rows.samples, file.tensor("samples").mutable_values<int64_t>().begin());
  file.commit();
  return rows;
}

std::string cache_path(const std::string& folder, const Dataset& dataset, const FeatureOptions& options,
                       int64_t view) {
  const std::optional<uint64_t> data = fingerprint(dataset);
  if (!data) return {};
  Hasher hasher;
  hasher.add("frozen features 1")
      .add(options.prefix_fingerprint)
      .add(*data)
      .add(to_string(options.preprocess));
  hasher.add(static_cast<uint64_t>(options.loader.channels));
  if (options.loader.augment.any()) {
    hasher.add(to_string(options.loader.augment)).add(options.loader.seed).add(static_cast<uint64_t>(view));
  }
  constexpr char kDigits[] = "0123456789abcdef";
  std::string name;
  for (int shift = 60; shift >= 0; shift -= 4) name += kDigits[hasher.digest() >> shift & 15];
  return concat(folder, "/", name, ".safetensors");
}

// One view, from the cache on disk if it is there; else it is computed, into that cache if there is one.
Rows view_rows(const Dataset& dataset, const FeatureOptions& options, const RowLayout& layout, int64_t view,
               int64_t views, TrainEvents& events) {
  Filling filling(dataset, options, events);
  const int64_t count = dataset.size();
  const std::optional<std::string> folder = options.prefix ? cache_folder("frozen") : std::nullopt;
  const std::string path = folder ? cache_path(*folder, dataset, options, view) : std::string();
  if (path.empty()) {
    Rows rows = empty_rows(layout, count);
    filling.fill(rows, view, views);
    return rows;
  }
  try {
    if (std::filesystem::exists(path)) {
      if (std::optional<Rows> rows = rows_of_file(path, layout, count)) {
        events.note(concat("frozen features of ", count, " samples from the cache"));
        return std::move(*rows);
      }
    }
  } catch (const Error& error) {
    events.note(concat("cached features are damaged and computed again: ", error.what()));
  }
  try {
    trim_cache(*folder, std::max<int64_t>(0, kCacheLimit - layout.bytes() * count), path);
    return fill_file(path, layout, count, view, views, filling);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::exhausted) throw;
    events.note(concat("frozen features stay in memory: ", error.what()));
    Rows rows = empty_rows(layout, count);
    filling.fill(rows, view, views);
    return rows;
  }
}

int64_t memory_limit(const FeatureOptions& options) {
  return options.memory > 0 ? options.memory / 2 : available_memory_bytes() / 4;
}

}  // namespace

FeatureSource::FeatureSource(const Dataset& dataset, FeatureOptions options, TrainEvents& events)
    : dataset_(dataset), options_(std::move(options)) {
  const Shape sample = Loader(dataset_, options_.preprocess, options_.loader).sample_shape();
  check_input(*options_.model, sample);
  const bool random = options_.loader.augment.any() && options_.loader.views == 0;
  if (random) {
    if (options_.prefix)
      events.note("random augmentation: the frozen part runs in every epoch (--views N keeps N views)");
    return;
  }
  if (!options_.cache) return;
  const RowLayout layout = layout_of(options_, dataset_, sample);
  const int64_t views = std::max<int64_t>(1, options_.loader.views);
  const int64_t limit = memory_limit(options_);
  const bool on_disk = options_.prefix && cache_folder("frozen");
  if (layout.bytes() * dataset.size() * views > (on_disk ? kCacheLimit : limit)) {
    if (options_.prefix)
      events.note("the frozen features do not fit the cache: they are computed in every epoch");
    return;
  }
  for (int64_t view = 0; view < views; ++view) {
    views_.push_back(view_rows(dataset_, options_, layout, view, views, events));
  }
}

FeatureSource::~FeatureSource() = default;

std::unique_ptr<Batches> FeatureSource::batches(LoaderOptions::Order order, int64_t batch) {
  LoaderOptions loading = options_.loader;
  loading.order = order;
  loading.batch = batch;
  if (!views_.empty()) return batches_of_rows(views_, dataset_, loading);
  if (options_.cache) loading.cache_bytes = memory_limit(options_);
  loaders_.push_back(std::make_unique<Loader>(dataset_, options_.preprocess, loading));
  return batches_of_loader(*loaders_.back(), options_.prefix, data_input(options_));
}

}  // namespace temper
