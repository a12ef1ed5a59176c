#pragma once
// What stands behind a Network.
#include "model/model.h"
#include "place/inference.h"
#include "temper/network.h"

namespace temper {

struct Network::Body {
  Model model;
  std::vector<std::string> head;  // parameters of a new head
  std::map<std::string, std::unique_ptr<Inference>, std::less<>>
      inferences;  // by device; dropped when the model changes
};

struct NetworkAccess {
  using Body = Network::Body;
  static Network::Body& body(Network& network) { return *network.body_; }
  static const Network::Body& body(const Network& network) { return *network.body_; }
};

}  // namespace temper
