// The interface of a training problem. Everything else belongs to the trainer.
#pragma once

#include "weightformer/core/random.h"
#include "weightformer/data/batch.h"
#include "weightformer/engine/metrics.h"
#include "weightformer/engine/validation_details.h"
#include "weightformer/models/model.h"
#include "weightformer/nn/mixed_precision.h"

#include <ATen/core/Generator.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace wf {

class Distributed;
struct TrainState;

/// The random numbers of one micro-batch on one rank, a function of (seed, micro-batch, rank): a
/// resumed run draws the same numbers, and no state has to be saved.
class StepRng {
 public:
  /// `draw` numbers the micro-batches of all ranks over the run. Seeds `generator`.
  StepRng(uint64_t seed, uint64_t draw, at::Generator generator);

  /// Numbers on the host for one purpose; each purpose has its own `name`.
  CounterRng stream(uint64_t name) const { return CounterRng{seed_, name, draw_}; }
  /// Numbers for sample `i` of `batch`, a function of (seed, name, epoch, sample): the same for any
  /// batch size and number of ranks.
  CounterRng sample_stream(uint64_t name, const Batch& batch, int64_t i) const {
    return CounterRng{seed_, name, static_cast<uint64_t>(batch.epoch),
                      static_cast<uint64_t>(batch.indices[i])};
  }
  /// For tensors on the device. The model draws from it too (stochastic depth, dropout).
  const at::Generator& generator() const { return generator_; }

 private:
  uint64_t seed_, draw_;
  at::Generator generator_;
};

/// The context of a validation.
struct ValidationContext {
  Distributed& ranks;
  c10::Device device = c10::kCPU;
  std::optional<Precision> amp;   ///< mixed precision, as in training
  bool (*cancelled)() = nullptr;  ///< called between batches
  /// Which weights the model has: 0 the trained ones, k the k-th of `emas` EMAs.
  int64_t weights = 0, emas = 0;
  int64_t step = 0;  ///< optimizer steps so far
};

/// An action of a task every `steps` optimizer steps, on all ranks: see Trainer::every().
struct TaskEvent {
  int64_t steps;
  std::function<void(const TrainState&)> run;
};

/// Facts that a checkpoint and the run that resumes it must agree on, as lists of words:
/// {"classes", {"cat", "dog"}}.
using Metadata = std::map<std::string, std::vector<std::string>>;

/// One training problem: a model, the loss of a batch, and how the model is validated. The trainer
/// owns accumulation, precision, clipping, optimizer, EMA, schedule, distribution, stopping and the
/// position in the run.
class Task {
 public:
  explicit Task(std::shared_ptr<Model> model) : model_(std::move(model)) {}
  virtual ~Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  const std::shared_ptr<Model>& model() const { return model_; }

  /// The mean loss of one micro-batch, a float32 scalar with a gradient. Called under
  /// MixedPrecision when the run uses it. Random numbers come from `rng` only. A task has this
  /// function, or the three below in its place, which a step as a CUDA graph needs.
  virtual at::Tensor loss(const Batch& batch, const StepRng& rng);

  /// What losses() computes with, on the device: the batch and random draws.
  virtual std::optional<std::vector<at::Tensor>> prepare(const Batch& batch, const StepRng& rng) {
    (void)batch, (void)rng;
    return std::nullopt;
  }
  /// The mean loss, and what note() gets beside it. Reads nothing back, copies nothing from the
  /// host, seeds no generator: the same for every batch of the same shapes.
  virtual std::vector<at::Tensor> losses(const std::vector<at::Tensor>& inputs) {
    (void)inputs;
    return {};
  }
  /// Called with the results of losses(), without gradients.
  virtual void note(const std::vector<at::Tensor>& losses) { (void)losses; }

  /// Validates the model with the weights that it has now; every rank calls it and gets the metrics
  /// of all ranks together. nullopt: cancelled. Draws no random numbers.
  virtual std::optional<Metrics> validate(const ValidationContext& context) = 0;

  /// The metric that selects the best checkpoint, one of those that validate() returns.
  virtual const MetricSpec& selection_metric() const = 0;

  /// After each optimizer step, on every rank.
  virtual void after_step(Distributed& ranks) { (void)ranks; }

  /// Reduces the counts of loss() for step_metrics() over the ranks. Every rank calls it when
  /// the loss of a step is measured and when training pauses.
  virtual void reduce(Distributed& ranks) { (void)ranks; }
  /// Metrics of the training steps since the last call, up to the last reduce(). On every rank;
  /// rank 0 shows its own.
  virtual Metrics step_metrics() { return {}; }

  /// Tensors that a checkpoint holds besides the weights, by name. They share memory with the task:
  /// a resumed run writes into them.
  virtual std::map<std::string, at::Tensor> state() const { return {}; }

  /// The periodic actions of the task; `directory` is that of the run.
  virtual std::vector<TaskEvent> events(const ValidationContext& context,
                                        const std::string& directory) {
    (void)context, (void)directory;
    return {};
  }

  virtual Metadata metadata() const { return {}; }
  /// Throws wf::Error naming `source` when a checkpoint with `saved` must not be continued.
  virtual void check_metadata(const Metadata& saved, const std::string& source) const {
    (void)saved, (void)source;
  }

  /// The samples of a training batch as images, as loss() sees them: [B, 1 or 3, H, W] uint8 on the
  /// CPU. Undefined, as by default: there is nothing to see.
  virtual at::Tensor displayed(const Batch& batch, const StepRng& rng) const {
    (void)batch, (void)rng;
    return {};
  }

  /// What reports show of the last validate(), on rank 0; null, as by default: nothing.
  virtual std::shared_ptr<const ValidationDetails> validation_details() const { return nullptr; }

  /// wf_train --eval: like validate(), in more detail; rank 0 writes reports into `directory`.
  virtual Metrics evaluate(const ValidationContext& context, const std::string& directory) = 0;

 private:
  std::shared_ptr<Model> model_;
};

}  // namespace wf
