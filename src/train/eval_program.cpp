#include "train/eval_program.h"

#include <cstring>
#include <map>
#include <mutex>

#include "base/check.h"
#include "base/text.h"
#include "place/shares.h"
#include "train/interrupt.h"
#include "train/programs.h"
#include "train/targets.h"

namespace temper {

EvalProgram::EvalProgram(DeviceState& state, const Model& model, const EvalOptions& wanted,
                         const std::set<std::string>& averaged, const CompileOptions& compile_options)
    : device_(state.device().name()) {
  EvalOptions options = wanted;
  options.replicas = replicas_for(state.device(), options.batch);
  CompileOptions compile = compile_options;
  Graph graph = build_eval(model, options);
  share_out(graph, options.replicas, compile);
  for (Port& port : graph.inputs) {
    if (port.name.starts_with("param.") && averaged.contains(port.name.substr(6)))
      port.name = "ema." + port.name.substr(6);
  }
  program_ = std::make_unique<BoundProgram>(state, graph, compile);
  labels_ = Tensor(program_->input("labels").type());
  scores_type_ = program_->output("scores").type();
}

void EvalProgram::take(Batches& batches, const Targets& targets) {
  const std::span<const int64_t> samples = batches.indices();
  samples_.assign(samples.begin(), samples.end());
  batches.fill(*program_);
  targets.gather(samples, labels_);
  fill_rows(*program_, "labels", labels_.data(), 1, labels_.bytes());
}

EvalProgram::Answers EvalProgram::run() {
  program_->run();
  return {std::move(samples_), program_->host_output("scores"), program_->host_output("loss")};
}

namespace {

using Done = std::function<void(int64_t samples)>;

void pass_on(const EvalProgram::Answers& answers, size_t width, const EachAnswer& each) {
  for (size_t i = 0; i < answers.samples.size(); ++i)
    each(answers.samples[i], answers.scores.values<float>().subspan(i * width, width),
         answers.losses.values<float>()[i]);
}

// The next run writes into the device's own memory.
Tensor host_copy(const Tensor& tensor) {
  Tensor copy(tensor.type());
  std::memcpy(copy.mutable_data(), tensor.data(), static_cast<size_t>(tensor.bytes()));
  return copy;
}

void pass_alone(EvalProgram& program, Batches& batches, const Targets& targets, const EachAnswer& each,
                const Done& done) {
  int64_t count = 0;
  while (const int64_t size = batches.next()) {
    program.take(batches, targets);
    pass_on(program.run(), static_cast<size_t>(targets.width()), each);
    done(count += size);
  }
}

void pass_shared(std::span<EvalProgram* const> programs, Batches& batches, const Targets& targets,
                 const EachAnswer& each, const Done& done, WorkShares& shares) {
  std::mutex mutex;
  std::map<int64_t, EvalProgram::Answers> answered;
  int64_t count = 0;
  const auto named = [&](size_t worker, const Error& error) {
    return Error(error.kind(), concat("device `", programs[worker]->device(), "`: ", error.what()));
  };
  const int64_t most = (batches.samples() + programs[0]->batch() - 1) / programs[0]->batch();
  share_work(shares, programs.size(), most,
             {.take =
                  [&](size_t worker, int64_t) {
                    if (batches.next() == 0) return false;
                    programs[worker]->take(batches, targets);
                    return true;
                  },
              .work =
                  [&](size_t worker, int64_t item) {
                    try {
                      EvalProgram::Answers answers = programs[worker]->run();
                      answers.scores = host_copy(answers.scores);
                      answers.losses = host_copy(answers.losses);
                      const std::lock_guard lock(mutex);
                      answered[item] = std::move(answers);
                    } catch (const Error& error) {
                      throw named(worker, error);
                    }
                  },
              .consume =
                  [&](int64_t item) {
                    EvalProgram::Answers answers;
                    {
                      const std::lock_guard lock(mutex);
                      answers = std::move(answered.extract(item).mapped());
                    }
                    pass_on(answers, static_cast<size_t>(targets.width()), each);
                    done(count += static_cast<int64_t>(answers.samples.size()));
                  }});
  TEMPER_CHECK(batches.next() == 0, "more than ", most, " batches");
}

}  // namespace

Evaluation evaluate_batches(std::span<EvalProgram* const> programs, Batches& batches, const Targets& targets,
                            const std::vector<std::string>& labels, TrainEvents& events,
                            const EachAnswer& each) {
  Metrics metrics(targets.kind(), targets.width());
  const EachAnswer score = [&](int64_t sample, std::span<const float> scores, double loss) {
    targets.score(metrics, scores, sample, loss);
    if (each) each(sample, scores, loss);
  };
  const Done done = [&](int64_t samples) {
    events.progress("evaluate", samples, batches.samples(), {});
    stop_if_asked();
  };
  batches.start({});
  if (programs.size() == 1) {
    pass_alone(*programs[0], batches, targets, score, done);
  } else {
    WorkShares shares(programs.size());
    pass_shared(programs, batches, targets, score, done, shares);
    std::vector<std::string> parts;
    for (size_t i = 0; i < programs.size(); ++i)
      parts.push_back(concat(programs[i]->device(), " ", shares.taken(i)));
    events.note(concat("batches by device: ", join(parts, ", ")));
  }
  Evaluation result = metrics.result(labels);
  result.skipped = batches.samples() - result.samples;
  return result;
}

}  // namespace temper
