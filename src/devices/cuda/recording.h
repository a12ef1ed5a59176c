#pragma once
// What a run puts into the stream, captured as a CUDA graph and replayed with one call.
#include <vector>

#include "launches/machine.h"

namespace temper::cuda {

class Driver;
struct CGraphExec;

class GraphRecording : public launches::Recording {
 public:
  explicit GraphRecording(const Driver& driver) : driver_(driver) {}
  GraphRecording(const GraphRecording&) = delete;
  GraphRecording& operator=(const GraphRecording&) = delete;
  ~GraphRecording() override;

  void run(std::span<const launches::Place> places, const std::function<void()>& put) override;

 private:
  struct Graph {
    std::vector<launches::Place> places;
    CGraphExec* graph = nullptr;
  };
  CGraphExec* capture(const std::function<void()>& put) const;

  const Driver& driver_;
  std::vector<Graph> graphs_;  // the last used first
  int misses_ = 0;             // one after the other
  bool began_ = false;
};

}  // namespace temper::cuda
