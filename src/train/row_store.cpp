#include "train/row_store.h"

#include <algorithm>
#include <filesystem>

#include "base/cache_folder.h"
#include "base/text.h"
#include "formats/safetensors.h"
#include "temper/error.h"

namespace temper {
namespace {

Type rows_type(Type sample, int64_t count) {
  sample.shape[0] = sample.shape.size(0) * count;
  return sample;
}

}  // namespace

int64_t RowLayout::bytes() const {
  int64_t sum = 0;
  for (const Type& type : types) sum += byte_size(type);
  return sum;
}

RowStore::RowStore(RowLayout layout, int64_t count, std::string file, TrainEvents& events)
    : layout_(std::move(layout)), count_(count), file_(std::move(file)), events_(events) {
  if (file_.empty()) return;
  try {
    complete_ = std::filesystem::exists(file_) && read();
    if (complete_) events_.note(concat("frozen features of ", count_, " samples from the cache"));
  } catch (const Error& error) {
    events_.note(concat("cached features are damaged and computed again: ", error.what()));
  }
}

// False if the file is of another kind.
bool RowStore::read() {
  Safetensors file = read_safetensors_file(file_);
  Rows rows{.inputs = layout_.inputs, .tensors = {}, .pixel_values = {}, .samples = {}};
  for (size_t i = 0; i < layout_.inputs.size(); ++i) {
    const Tensor& tensor = file.tensors[layout_.inputs[i]];
    if (tensor.empty() || tensor.type() != rows_type(layout_.types[i], count_)) return false;
    rows.tensors.push_back(tensor);
  }
  const Tensor& samples = file.tensors["samples"];
  if (samples.empty() || samples.type() != Type{DType::i64, {count_}}) return false;
  for (const int64_t sample : samples.values<int64_t>()) {
    if (sample >= count_) return false;
    rows.samples.push_back(sample);
  }
  rows_ = std::move(rows);
  return true;
}

Rows& RowStore::begin() {
  complete_ = false;
  open_.reset();
  rows_ = {.inputs = layout_.inputs,
           .tensors = {},
           .pixel_values = {},
           .samples = std::vector<int64_t>(static_cast<size_t>(count_), -1)};
  if (!file_.empty()) {
    std::vector<std::pair<std::string, Type>> types;
    for (size_t i = 0; i < layout_.inputs.size(); ++i)
      types.emplace_back(layout_.inputs[i], rows_type(layout_.types[i], count_));
    types.emplace_back("samples", Type{DType::i64, {count_}});
    try {
      trim_cache(std::filesystem::path(file_).parent_path().string(),
                 std::max<int64_t>(0, kFeatureCache - layout_.bytes() * count_), file_);
      open_ = std::make_unique<MappedTensorFile>(file_, types, std::map<std::string, std::string>());
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::exhausted) throw;
      events_.note(concat("frozen features stay in memory: ", error.what()));
    }
  }
  for (size_t i = 0; i < layout_.inputs.size(); ++i)
    rows_.tensors.push_back(open_ ? open_->tensor(layout_.inputs[i])
                                  : Tensor(rows_type(layout_.types[i], count_)));
  return rows_;
}

void RowStore::finish() {
  complete_ = true;
  if (!open_) return;
  try {
    std::ranges::copy(rows_.samples, open_->tensor("samples").mutable_values<int64_t>().begin());
    open_->commit();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::exhausted) throw;
    events_.note(concat("frozen features are kept for this run only: ", error.what()));
  }
  open_.reset();
}

}  // namespace temper
