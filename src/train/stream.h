#pragma once
// Features that one device computes while another works with those of the batch before.
#include <deque>
#include <memory>

#include "data/preprocess.h"
#include "train/row_store.h"

namespace temper {

// A thread of its own decodes and runs the beginning of `part`, one batch ahead; whoever calls next() runs
// its end. What comes is what a loader with these options gives, in its order. stores: by view; a whole pass,
// from the first sample on, completes the one of its view, and a view that is complete is read from there;
// empty: nothing is kept. References must outlive the result.
std::unique_ptr<Batches> batches_of_stream(const Dataset& dataset, const Preprocess& preprocess,
                                           const LoaderOptions& options, FrozenPart& part,
                                           std::deque<RowStore>& stores);

}  // namespace temper
