#include "train/frozen_part.h"

#include <chrono>

#include "base/text.h"

namespace temper {
namespace {

int64_t samples_of(const Tensor& rows, const Type& of_one) { return rows.bytes() / byte_size(of_one); }

// One tensor for each type, of `count` samples.
void make_rows(std::vector<Tensor>& rows, const std::vector<Type>& types, int64_t count) {
  if (!rows.empty() && samples_of(rows[0], types[0]) == count) return;
  rows.clear();
  for (Type type : types) {
    type.shape[0] = type.shape.size(0) * count;
    rows.emplace_back(type);
  }
}

}  // namespace

FrozenPart::FrozenPart(std::unique_ptr<FrozenPrefix> beginning, Device& trainer,
                       std::unique_ptr<FrozenPrefix> end, std::string cut)
    : beginning_(std::move(beginning)), end_(std::move(end)), trainer_(trainer), cut_(std::move(cut)) {}

std::string FrozenPart::devices() const {
  const std::string_view first = beginning_->device().name();
  return end_ ? concat(first, " up to ", cut_, ", then ", end_->device().name()) : std::string(first);
}

void FrozenPart::begin(const Tensor& inputs, std::vector<Tensor>& made) {
  const std::lock_guard lock(mutex_);
  const auto start = std::chrono::steady_clock::now();
  make_rows(made, beginning_->feature_types(), inputs.shape().size(0));
  beginning_->compute(inputs, made, 0);
  seconds_ = seconds_ + std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

const std::vector<Tensor>& FrozenPart::end(const std::vector<Tensor>& made) {
  if (!end_) return made;
  make_rows(features_, end_->feature_types(), samples_of(made[0], beginning_->feature_types()[0]));
  end_->compute(made[0], features_, 0);
  return features_;
}

void FrozenPart::compute(const Tensor& inputs, std::vector<Tensor>& features, int64_t first) {
  if (end_) {
    begin(inputs, made_);
    end_->compute(made_[0], features, first);
    return;
  }
  const std::lock_guard lock(mutex_);
  beginning_->compute(inputs, features, first);
}

}  // namespace temper
