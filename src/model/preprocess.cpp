#include "model/preprocess.h"

#include <array>
#include <cmath>
#include <optional>

#include "base/check.h"

namespace temper {
namespace {

using Kind = PreprocessStep::Kind;

constexpr int kMaxSide = 16384;

struct StepName {
  std::string_view name;
  Kind kind;
};
constexpr std::array<StepName, 8> kSteps = {{{"size", Kind::size},
                                             {"short", Kind::short_side},
                                             {"crop", Kind::crop},
                                             {"gray", Kind::gray},
                                             {"bgr", Kind::bgr},
                                             {"unit", Kind::unit},
                                             {"mean", Kind::mean},
                                             {"std", Kind::std}}};

std::string_view name_of(Kind kind) {
  for (const StepName& step : kSteps) {
    if (step.kind == kind) return step.name;
  }
  TEMPER_CHECK(false);
}

[[noreturn]] void refuse(std::string_view step, std::string_view why) {
  throw Error(ErrorKind::invalid, concat("preprocess step '", step, "': ", why));
}

int parse_side(std::string_view step, std::string_view text) {
  int64_t side = 0;
  if (!parse_number(text, side) || side < 1 || side > kMaxSide) {
    refuse(step, concat("expected a size from 1 to ", kMaxSide, ", found '", text, "'"));
  }
  return static_cast<int>(side);
}

std::vector<float> parse_values(std::string_view step, std::string_view text) {
  std::vector<float> values;
  for (const std::string_view part : split(text, '/')) {
    double value = 0;
    if (!parse_number(part, value) || !std::isfinite(static_cast<float>(value))) {
      refuse(step, concat("expected numbers separated by '/', found '", part, "'"));
    }
    values.push_back(static_cast<float>(value));
  }
  if (values.size() != 1 && values.size() != 3) {
    refuse(step, concat("expected one number or three, found ", values.size()));
  }
  return values;
}

PreprocessStep parse_step(std::string_view text) {
  const size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  const std::string_view value = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  const StepName* known = nullptr;
  for (const StepName& step : kSteps) {
    if (step.name == name) known = &step;
  }
  if (!known) {
    std::vector<std::string> names = {"torch", "tf", "caffe", "raw"};
    for (const StepName& step : kSteps) names.emplace_back(step.name);
    const std::string near = closest(name, names);
    if (!near.empty() && near == name)
      refuse(text, "a preset stands alone, with no steps before or after it");
    refuse(text,
           near.empty()
               ? concat("unknown; the steps are size:HxW, short:N, crop:N, gray, bgr, unit, mean:A/B/C, "
                        "std:A/B/C, or a preset alone: torch, tf, caffe, raw")
               : concat("unknown; did you mean '", near, "'?"));
  }
  PreprocessStep step{known->kind};
  const bool takes_value = step.kind != Kind::gray && step.kind != Kind::bgr && step.kind != Kind::unit;
  if (takes_value == value.empty()) refuse(text, takes_value ? "needs a value after ':'" : "takes no value");
  if (step.kind == Kind::mean || step.kind == Kind::std) {
    step.values = parse_values(text, value);
  } else if (takes_value) {
    const std::vector<std::string_view> sides = split(value, 'x');
    const size_t most = step.kind == Kind::short_side ? 1 : 2;
    if (sides.size() > most || (step.kind == Kind::size && sides.size() != 2)) {
      refuse(text,
             step.kind == Kind::size ? "expected HEIGHTxWIDTH, as in size:224x224" : "expected one size");
    }
    step.height = parse_side(text, sides.front());
    step.width = parse_side(text, sides.back());
  }
  return step;
}

// What only the whole can tell: repeated steps, numbers per channel, a std on the wrong scale.
void check_steps(const Preprocess& preprocess) {
  bool gray = false, unit = false, values = false;
  for (size_t i = 0; i < preprocess.steps.size(); ++i) {
    const PreprocessStep& step = preprocess.steps[i];
    const std::string text = to_string(Preprocess{{step}});
    for (size_t j = 0; j < i; ++j) {
      if (preprocess.steps[j].kind == step.kind)
        refuse(text, concat("'", name_of(step.kind), "' stands twice"));
    }
    gray |= step.kind == Kind::gray;
    unit |= step.kind == Kind::unit;
    if (step.kind == Kind::gray && values) refuse(text, "put it before mean and std");
    values |= step.kind == Kind::mean || step.kind == Kind::std;
    if (step.kind == Kind::bgr && gray) refuse(text, "a gray picture has no channels to swap");
    if (gray && step.values.size() == 3) refuse(text, "a gray picture takes one number, not three");
    for (const float value : step.values) {
      if (step.kind != Kind::std) continue;
      if (value <= 0) refuse(text, concat("expected numbers above 0, found ", value));
      if (value < 1 && !unit) {
        refuse(text, concat("a std of ", value,
                            " belongs to pixels from 0 to 1; put 'unit' before it, or give it for 0 to 255"));
      }
    }
  }
}

// The steps that a preset stands for. Sources: torchvision's evaluation transform of its classification
// weights (resize to 256, crop 224; here for any input size), and Keras's imagenet_utils.preprocess_input.
std::optional<std::string> preset(std::string_view name, int height, int width) {
  const std::string size = concat("size:", height, "x", width);
  if (name == "raw") return height > 0 && width > 0 ? size : "";
  std::string steps;
  if (name == "torch") {
    const int tall = height * 256 / 224, wide = width * 256 / 224;
    steps = height == width ? concat("short:", tall, ",crop:", height)
                            : concat("size:", tall, "x", wide, ",crop:", height, "x", width);
    steps += ",unit,mean:0.485/0.456/0.406,std:0.229/0.224/0.225";
  } else if (name == "tf") {
    steps = size + ",mean:127.5,std:127.5";
  } else if (name == "caffe") {
    steps = size + ",bgr,mean:103.939/116.779/123.68";
  } else {
    return std::nullopt;
  }
  if (height <= 0 || width <= 0) {
    throw Error(ErrorKind::invalid, concat("preprocess '", name,
                                           "' needs a fixed input size, and the model's is free; fix it "
                                           "with --shape, or write the steps, beginning with size:HxW"));
  }
  return steps;
}

}  // namespace

int channels(const Preprocess& preprocess) {
  for (const PreprocessStep& step : preprocess.steps) {
    if (step.kind == Kind::gray) return 1;
  }
  return 3;
}

Preprocess parse_preprocess(std::string_view text, int height, int width) {
  const std::optional<std::string> steps = preset(text, height, width);
  const std::string_view source = steps ? *steps : text;
  Preprocess preprocess;
  if (source.empty() && steps) return preprocess;
  for (const std::string_view step : split(source, ',')) preprocess.steps.push_back(parse_step(trim(step)));
  check_steps(preprocess);
  return preprocess;
}

std::string to_string(const Preprocess& preprocess) {
  std::string out;
  for (const PreprocessStep& step : preprocess.steps) {
    if (!out.empty()) out += ',';
    out += name_of(step.kind);
    if (!step.values.empty()) {
      out += concat(":", join(step.values, "/"));
    } else if (step.kind == Kind::size || step.height != step.width) {
      out += concat(":", step.height, "x", step.width);
    } else if (step.height > 0) {
      out += concat(":", step.height);
    }
  }
  return out.empty() ? "raw" : out;
}

}  // namespace temper
