#include "train/features.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "base/cache_folder.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"
#include "train/interrupt.h"
#include "train/setup.h"
#include "train/stream.h"

namespace temper {
namespace {

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

class Filling {
 public:
  Filling(const Dataset& dataset, const FeatureOptions& options, TrainEvents& events)
      : dataset_(dataset), options_(options), events_(events) {}

  // Writes every sample of a view's pass; rows stay empty for broken samples.
  void fill(RowStore& store, int64_t view, int64_t views) {
    Rows& rows = store.begin();
    LoaderOptions loading = options_.loader;
    loading.order = LoaderOptions::Order::as_stored;
    loading.batch = kDecodeBatch;
    loading.pixels = !options_.prefix && dataset_.source->has_pictures();
    Loader loader(dataset_, options_.preprocess, loading);
    loader.start({view, 0});
    rows.pixel_values = loader.pixel_values();
    const int64_t count = dataset_.size();
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
    store.finish();
  }

 private:
  const Dataset& dataset_;
  const FeatureOptions& options_;
  TrainEvents& events_;
};

std::string cache_path(const std::string& folder, const Dataset& dataset, const FeatureOptions& options,
                       int64_t view) {
  const std::optional<uint64_t> data = fingerprint(dataset);
  if (!data) return {};
  Hasher hasher;
  hasher.add("frozen features 2")
      .add(options.prefix_fingerprint)
      .add(options.prefix->devices())
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

int64_t memory_limit(const FeatureOptions& options) {
  return options.memory > 0 ? options.memory / 2 : available_memory_bytes() / 4;
}

}  // namespace

FeatureSource::FeatureSource(const Dataset& dataset, FeatureOptions options, TrainEvents& events)
    : dataset_(dataset), options_(std::move(options)), events_(events) {
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
  const std::optional<std::string> folder = options_.prefix ? cache_folder("frozen") : std::nullopt;
  if (layout.bytes() * dataset.size() * views > (folder ? kFeatureCache : memory_limit(options_))) {
    if (options_.prefix)
      events.note("the frozen features do not fit the cache: they are computed in every epoch");
    return;
  }
  for (int64_t view = 0; view < views; ++view) {
    const std::string file = folder ? cache_path(*folder, dataset, options_, view) : std::string();
    stores_.emplace_back(layout, dataset.size(), file, events);
  }
  if (!streams()) fill();
}

FeatureSource::~FeatureSource() = default;

bool FeatureSource::streams() const { return options_.prefix && options_.prefix->overlaps(); }

void FeatureSource::fill() {
  Filling filling(dataset_, options_, events_);
  const auto views = static_cast<int64_t>(stores_.size());
  for (int64_t view = 0; view < views; ++view) {
    RowStore& store = stores_[static_cast<size_t>(view)];
    if (!store.complete()) filling.fill(store, view, views);
  }
}

std::unique_ptr<Batches> FeatureSource::batches(LoaderOptions::Order order, int64_t batch) {
  LoaderOptions loading = options_.loader;
  loading.order = order;
  loading.batch = batch;
  // A balanced pass leaves samples out, so it does not fill the rows.
  if (order == LoaderOptions::Order::balanced) fill();
  const bool complete = std::ranges::all_of(stores_, &RowStore::complete);
  if (!stores_.empty() && complete) {
    std::vector<Rows> views;
    for (const RowStore& store : stores_) views.push_back(store.rows());
    return batches_of_rows(std::move(views), dataset_, loading);
  }
  if (options_.cache && stores_.empty()) loading.cache_bytes = memory_limit(options_);
  if (streams()) return batches_of_stream(dataset_, options_.preprocess, loading, *options_.prefix, stores_);
  loaders_.push_back(std::make_unique<Loader>(dataset_, options_.preprocess, loading));
  return batches_of_loader(*loaders_.back(), options_.prefix, data_input(options_));
}

}  // namespace temper
