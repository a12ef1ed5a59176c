#pragma once
// Which parameters train, and what each parameter is for.
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "model/model.h"

namespace temper {

enum class ParameterRole {
  weight,
  bias,
  norm,
  statistic
};  // norm: scale and shift; statistic: of a batch norm

// By the ops that read each parameter, through reshapes and broadcasts.
std::map<std::string, ParameterRole> parameter_roles(const Model& model);

// Groups of parameters that one layer reads (weight with its bias, a norm's pair), in the order of the graph;
// statistics are left out. A parameter that several layers share is in the first.
std::vector<std::vector<std::string>> parameter_layers(const Model& model);

// `trainable` is head, all, last:N (layers), bias, norm or a regular expression searched in the names;
// `freeze` is empty or an expression. `head`: the names of a new head. Error invalid says what the words are
// if nothing trains.
std::set<std::string> trainable_parameters(const Model& model, std::string_view trainable,
                                           std::string_view freeze, const std::vector<std::string>& head);

bool has_norms(const Model& model);

}  // namespace temper
