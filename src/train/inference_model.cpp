#include "train/inference_model.h"

#include <algorithm>

#include "base/text.h"
#include "data/loader.h"
#include "quantize/quantize.h"
#include "temper/error.h"
#include "train/frozen.h"
#include "train/setup.h"

namespace temper {

std::vector<Tensor> calibration_batches(const Dataset& dataset, const Preprocess& preprocess, uint64_t seed) {
  constexpr int64_t kBatch = 8, kSamples = 32;
  LoaderOptions options;
  options.order = LoaderOptions::Order::shuffle;
  options.batch = std::min(kBatch, dataset.size());
  options.seed = seed;
  options.window_bytes = int64_t{1} << 20;
  options.on_bad_sample = [](int64_t, const std::string&) {};  // said when it is trained or scored on
  Loader loader(dataset, preprocess, options);
  loader.start({});
  std::vector<Tensor> batches;
  for (int64_t samples = 0; samples < kSamples;) {
    const std::optional<Batch> batch = loader.next();
    if (!batch) break;
    const int64_t size = batch->images.empty() ? 0 : batch->images.shape().size(0);
    if (size == 0 || (!batches.empty() && batch->images.type() != batches[0].type())) continue;
    batches.push_back(batch->images.clone());
    samples += size;
  }
  if (batches.empty()) throw Error(ErrorKind::invalid, "int8: the data have no sample to calibrate on");
  return batches;
}

Model inference_model(Device& device, const Model& model, DType precision, const std::string& calibrate,
                      uint64_t seed, const CompileOptions& compile) {
  const bool integers = precision == DType::i8;
  Model folded = fold_frozen(device, model, {}, compile, integers ? DType::f32 : precision);
  if (!integers || is_quantized(folded.graph)) return folded;
  if (calibrate.empty())
    throw Error(ErrorKind::invalid,
                "precision: int8 takes its ranges from samples; give some with --calibrate D");
  const DataSplits data = open_data({.data = calibrate, .seed = seed, .split = false});
  const std::optional<Dataset>& found = data.train ? data.train : data.val ? data.val : data.test;
  if (!found || found->size() == 0)
    throw Error(ErrorKind::invalid, concat("calibrate: ", calibrate, " holds no samples")).in_file(calibrate);
  const std::vector<Tensor> batches = calibration_batches(*found, preprocess_for(model, *found), seed);
  Shape sample = batches[0].shape();
  check_input(model, Shape(std::vector<Dim>(sample.begin() + 1, sample.end())));
  return quantize(device, folded, batches, {.compile = compile});
}

}  // namespace temper
