#include "devices/cuda/recording.h"

#include <algorithm>

#include "devices/cuda/driver.h"

namespace temper::cuda {

namespace {

constexpr size_t kKept = 4;     // graphs of a context
constexpr int kMostMisses = 8;  // places that change each time are not worth a graph

}  // namespace

GraphRecording::~GraphRecording() {
  const Driver::Turn turn = driver_.enter_to_free();
  for (const Graph& graph : graphs_) driver_.api().cuGraphExecDestroy(graph.graph);
}

// The first run is none: what a library prepares at its first call is not to be captured.
void GraphRecording::run(std::span<const launches::Place> places, const std::function<void()>& put) {
  const Driver::Turn turn = driver_.enter();
  const auto found = std::ranges::find_if(
      graphs_, [&](const Graph& graph) { return std::ranges::equal(graph.places, places); });
  if (found != graphs_.end()) {
    misses_ = 0;
    std::rotate(graphs_.begin(), found, found + 1);
  } else if (!began_ || ++misses_ > kMostMisses) {
    began_ = true;
    return put();
  } else {
    if (graphs_.size() == kKept) {
      driver_.api().cuGraphExecDestroy(graphs_.back().graph);
      graphs_.pop_back();
    }
    graphs_.insert(graphs_.begin(), {{places.begin(), places.end()}, capture(put)});
  }
  driver_.check(driver_.api().cuGraphLaunch(graphs_.front().graph, driver_.stream()), "run a program");
}

CGraphExec* GraphRecording::capture(const std::function<void()>& put) const {
  const DriverApi& api = driver_.api();
  driver_.check(api.cuStreamBeginCapture_v2(driver_.stream(), kCaptureOwnThread), "capture a program");
  CGraph* graph = nullptr;
  try {
    put();
  } catch (...) {
    api.cuStreamEndCapture(driver_.stream(), &graph);
    if (graph) api.cuGraphDestroy(graph);
    throw;
  }
  driver_.check(api.cuStreamEndCapture(driver_.stream(), &graph), "capture a program");
  CGraphExec* made = nullptr;
  const Status status = api.cuGraphInstantiateWithFlags(&made, graph, 0);
  api.cuGraphDestroy(graph);
  driver_.check(status, "make a graph of a program");
  return made;
}

}  // namespace temper::cuda
