// The smallest task: fits a vector to random points, in microseconds a step. For tests of the
// engine.
#pragma once

#include "weightformer/data/loader.h"
#include "weightformer/engine/task.h"
#include "weightformer/engine/trainer.h"

#include "data/batch_memory.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <memory>
#include <optional>
#include <string>

namespace wf::testing {

constexpr int64_t kQuadraticDim = 4;

/// Sample i is a point drawn from (epoch, i), its label 0.
class PointReader : public SampleReader {
 public:
  explicit PointReader(int64_t size) : size_(size) {}
  int64_t size() const override { return size_; }
  std::string name(int64_t i) const override { return "point " + std::to_string(i); }
  std::unique_ptr<BatchBuilder> begin(int64_t count, BatchMemory& memory) const override {
    struct Builder : BatchBuilder {
      void read(int64_t slot, int64_t index, CounterRng rng) override {
        float* point = batch.inputs.data_ptr<float>() + slot * kQuadraticDim;
        for (int64_t i = 0; i < kQuadraticDim; ++i) {
          point[i] = static_cast<float>(0.1 * rng.normal() + 0.01 * static_cast<double>(index));
        }
      }
      void mark_unreadable(int64_t) override {}
      Batch finish() override { return batch; }
      Batch batch;
    };
    auto builder = std::make_unique<Builder>();
    builder->batch.inputs = memory.take({count, kQuadraticDim}, at::kFloat);
    builder->batch.labels = memory.take({count}, at::kLong).zero_();
    return builder;
  }

 private:
  int64_t size_;
};

struct QuadraticModel : Model {
  QuadraticModel() {
    weight = register_parameter("weight", torch::full({kQuadraticDim, 2}, 2.0));
    bias = register_parameter("bias", torch::zeros({kQuadraticDim}));
  }
  void set_generator(const at::Generator&) override {}
  at::Tensor forward(const at::Tensor& noise) { return weight.sum(1) + bias + noise; }
  at::Tensor weight, bias;
};

/// loss = mean |weight + noise - point|², with noise from the generator of the step.
class QuadraticTask : public Task {
 public:
  inline static const MetricSpec kLoss{"loss", "val loss", "{:.4f}", Better::lower};

  QuadraticTask() : Task(std::make_shared<QuadraticModel>()) {}
  std::optional<std::vector<at::Tensor>> prepare(const Batch& batch, const StepRng& rng) override {
    const auto drawn = noise * torch::randn({batch.size(), kQuadraticDim}, rng.generator());
    return std::vector<at::Tensor>{batch.inputs, drawn};
  }
  std::vector<at::Tensor> losses(const std::vector<at::Tensor>& inputs) override {
    return {(quadratic().forward(inputs[1]) - inputs[0]).square().mean()};
  }
  std::optional<Metrics> validate(const ValidationContext& context) override {
    if (context.cancelled && context.cancelled()) return std::nullopt;
    const torch::NoGradGuard no_grad;
    Metrics metrics;
    metrics.add(kLoss, quadratic().forward(torch::zeros({1})).square().mean().item<double>());
    ++validations;
    return metrics;
  }
  const MetricSpec& selection_metric() const override { return kLoss; }
  Metrics evaluate(const ValidationContext& context, const std::string&) override {
    return validate(context).value_or(Metrics());
  }

  double noise = 0.1;
  int validations = 0;

 private:
  QuadraticModel& quadratic() { return static_cast<QuadraticModel&>(*model()); }
};

/// A run of three epochs of five steps at batch 8, of which 4 of 44 points are dropped.
struct QuadraticRun {
  QuadraticTask task;
  TrainState state;
  std::unique_ptr<Loader> train;
  std::unique_ptr<Trainer> trainer;

  explicit QuadraticRun(TrainerOptions options = {}, int64_t samples = 44, int64_t batch = 8) {
    LoaderOptions loading;
    loading.batch_size = batch;
    loading.workers = 2;
    loading.train = loading.drop_last = true;
    train = std::make_unique<Loader>(std::make_shared<PointReader>(samples),
                                     Sampler(samples, /*shuffle=*/true, loading.seed), loading);
    state.model = task.model();
    state.optimizer = make_optimizer({}, param_groups(*state.model, 0.05));
    state.schedule.base_lr = 0.1;
    state.schedule.total_steps = 15;
    state.schedule.warmup_steps = 5;
    if (options.epochs == TrainerOptions().epochs) options.epochs = 3;
    trainer = std::make_unique<Trainer>(state, task, *train, options);
  }
};

}  // namespace wf::testing
