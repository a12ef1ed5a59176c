#pragma once
// One HTML file without scripts or network: facts, curves, a confusion matrix, sample predictions.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper {

struct Curve {
  std::string name;            // "train", "val"
  std::vector<double> values;  // one per epoch; not finite: a gap
};

struct Plot {
  std::string title;  // "Loss"
  std::vector<Curve> curves;
  int mark = -1;  // epoch to mark, from 0
};

struct SamplePrediction {
  std::string file, truth, prediction;
  double score = 0;
  std::string picture;  // a data: URI, or empty
};

struct Report {
  std::string title;
  std::string summary;                                     // a sentence or two
  std::vector<std::pair<std::string, std::string>> facts;  // "Model", "mobilenet_v2"
  std::vector<Plot> plots;
  std::vector<std::string> labels;              // of the confusion matrix
  std::vector<std::vector<int64_t>> confusion;  // [truth][prediction]
  std::vector<SamplePrediction> samples;
};

std::string render_html(const Report& report);
std::string render_svg(const Plot& plot, int width, int height);
std::string base64(std::string_view bytes);

}  // namespace temper
