#pragma once
// What the launches of a program have to do, in the numbers that decide how long they take.
#include <span>
#include <string>
#include <vector>

#include "runtime/device.h"

namespace temper {

// Bytes that a launch reads or writes, and how many others were touched since they were last: whether a cache
// still holds them.
struct Traffic {
  double bytes = 0, distance = 0;
};

struct Work {
  // "dot", "convolution", "input_grad", "weight_grad", each also with "_grouped"; "map", "reduce", "reorder";
  // the op of what has a kernel of its own; "run": what a run costs before anything is computed.
  std::string kind;
  double flops = 0;
  double functions = 0;  // elements that go through exp, tanh and their like
  std::vector<Traffic> traffic;
  std::vector<double>
      place;          // log2 of what makes one work like another of its kind; as long for all of a kind
  double rounds = 1;  // how often it is done in a run
};

// Of one run. between: bytes that others touch between two runs.
std::vector<Work> works_of(const Executable& executable, double between = 0);

// The same of a graph that no device has compiled: maps that feed each other share a launch.
std::vector<Work> works_of(const Graph& graph);

double bytes_of(const Work& work);
bool is_contraction(const Work& work);  // counted in products of matrices

}  // namespace temper
