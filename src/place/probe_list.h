#pragma once
// How the files of probes make them.
#include <string>
#include <utility>

#include "ir/builder.h"
#include "place/probes.h"

namespace temper {

inline Type f32(const Shape& shape) { return {DType::f32, shape}; }

class ProbeList {
 public:
  // Builds one with `body`, whose result is the output.
  template <class Body>
  Probe& add(std::string name, const Body& body) {
    Probe& probe = probes_.emplace_back();
    probe.name = std::move(name);
    Builder b(probe.graph);
    b.output("y", body(b));
    return probe;
  }
  std::vector<Probe> take() { return std::move(probes_); }

 private:
  std::vector<Probe> probes_;
};

std::vector<Probe> convolution_probes();

}  // namespace temper
