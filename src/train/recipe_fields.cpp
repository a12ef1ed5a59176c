// The list of options: order, words and help of the command line.
#include "train/recipe.h"

namespace temper {
namespace {

using Field = RecipeField;

const Field kFields[] = {
    {"model", &Recipe::model, "MODEL", "a file, a run's folder or an architecture such as resnet18"},
    {"weights", &Recipe::weights, "FILE", "weights of an architecture (default: random)"},
    {"shape", &Recipe::shape, "NAME=1x3x224x224", "fixes free dimensions of an input"},
    {"preprocess", &Recipe::preprocess, "STEPS",
     "how a picture becomes the input: torch, tf, caffe, raw or steps", Field::resolved},
    {"labels", &Recipe::labels, "FILE", "names of the model's classes, one a line"},
    {"data", &Recipe::data, "D", "class folders, IDX files, .csv, .csv.gz or .npy"},
    {"val", &Recipe::val, "D", "validation data (default: val/ below the data)"},
    {"test", &Recipe::test, "D", "test data (default: test/ below the data)"},
    {"val-split", &Recipe::val_split, "F", "share of the training data held back for validation"},
    {"head", &Recipe::head, "STEPS", "a new head, such as gap,dense:1024:relu,dense"},
    {"cut", &Recipe::cut, "TENSOR", "where the new head is attached"},
    {"trainable", &Recipe::trainable, "head|all|last:N|bias|norm|REGEX",
     "what trains (default: head if new, else all)"},
    {"freeze", &Recipe::freeze, "REGEX", "parameters that stay as they are"},
    {"insert-norm", &Recipe::insert_norm, "", "insert batch norms where they were folded away"},
    {"loss", &Recipe::loss, "cross-entropy|bce|nll|mse|mae|huber", "what falls (default: by the data)"},
    {"label-smoothing", &Recipe::label_smoothing, "S", "share of a label spread over all classes"},
    {"class-weights", &Recipe::class_weights, "auto|FILE", "weight of each class in the loss"},
    {"sampling", &Recipe::sampling, "shuffle|balanced",
     "order of samples; balanced draws all classes equally often"},
    {"optimizer", &Recipe::optimizer, "sgd|adam|adamw|rmsprop|adagrad", "the update rule"},
    {"lr", &Recipe::lr, "X", "learning rate (default: 1e-3 for a new head, else 1e-4)"},
    {"momentum", &Recipe::momentum, "X", "of sgd and rmsprop"},
    {"nesterov", &Recipe::nesterov, "", "Nesterov's form of sgd's momentum"},
    {"weight-decay", &Recipe::weight_decay, "X", "pull of weights (not norms, not biases) to zero"},
    {"l1", &Recipe::l1, "X", "weight of the sum of absolute weights (not norms, not biases)"},
    {"schedule", &Recipe::schedule, "constant|step[:EPOCHS[:FACTOR]]|cosine|plateau[:EPOCHS[:FACTOR]]",
     "how the learning rate changes"},
    {"warmup", &Recipe::warmup, "STEPS", "steps in which the learning rate rises from zero"},
    {"clip-norm", &Recipe::clip_norm, "X", "largest norm of the whole gradient; 0: any"},
    {"accumulate", &Recipe::accumulate, "N", "batches whose gradients make one update"},
    {"ema", &Recipe::ema, "DECAY", "validate and save a moving average of the weights; 0: off"},
    {"sync-norm", &Recipe::sync_norm, "",
     "batch norms take the statistics of the whole batch, not of each device's part of it"},
    {"batch", &Recipe::batch, "N", "samples a step"},
    {"epochs", &Recipe::epochs, "N", "passes over the data", Field::may_change},
    {"max-time", &Recipe::max_time, "TIME", "stop after this long: 90s, 10m, 2h", Field::may_change},
    {"monitor", &Recipe::monitor, "val.loss|val.accuracy|train.loss|train.accuracy",
     "chooses the best epoch"},
    {"patience", &Recipe::patience, "N", "stop after N epochs without a better one; 0: never"},
    {"augment", &Recipe::augment, "STEPS", "such as flip,crop:0.7,rotate:10,color:0.2"},
    {"views", &Recipe::views, "N", "cache N augmented views of each sample"},
    {"on-bad-sample", &Recipe::on_bad_sample, "skip|fail", "what a broken picture does"},
    {"frozen-cache", &Recipe::frozen_cache, "auto|off", "compute the frozen part once per sample"},
    {"frozen-precision", &Recipe::frozen_precision, "f32|bf16|int8",
     "arithmetic of the frozen part; int8 takes its ranges from training samples"},
    {"max-drop", &Recipe::max_drop, "POINTS",
     "validation accuracy by which --frozen-precision may differ from f32 (default: 1)"},
    {"precision", &Recipe::precision, "f32|bf16|f16",
     "arithmetic of training and validation: bf16 keeps parameters, norms and losses in f32; f16 is not "
     "there yet"},
    {"seed", &Recipe::seed, "N", "of everything random"},
    {"device", &Recipe::device, "D[,D...]",
     "where to run: auto, cpu, cuda:0, ...; frozen=D,head=E: the frozen part on one, training on another",
     Field::may_change},
    {"threads", &Recipe::threads, "N", "0: all that this process may use", Field::may_change},
    {"memory", &Recipe::memory, "BYTES",
     "the most that this process may hold, 500M or 2G: a step then computes again what it cannot keep; 0: "
     "what is free",
     Field::may_change},
    {"logits", &Recipe::logits, "", "leave the final softmax out of the written model"},
    {"out", &Recipe::out, "DIR", "folder of the run (default: runs/1, runs/2, ...)", Field::not_stored},
    {"resume", &Recipe::resume, "", "go on where the run in the folder stopped", Field::not_stored},
    {"overwrite", &Recipe::overwrite, "", "replace the run in the folder", Field::not_stored},
};

}  // namespace

std::span<const RecipeField> recipe_fields() { return kFields; }

}  // namespace temper
