// Steps as a CUDA graph. The CPU has none: tests/support/cpu_graphs.h replays by running again.

#include "weightformer/engine/trainer.h"

#include "core/drop_data.h"
#include "engine/classification/classification_task.h"
#include "support/cpu_graphs.h"
#include "support/fill.h"
#include "support/quadratic_task.h"
#include "support/recorded_ops.h"

#include <gtest/gtest.h>
#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace wf::testing {
namespace {

// Whoever reads every second loss.
struct ReadsLosses : Observer {
  bool needs_loss(const StepReport& next) const override { return next.step % 2 == 0; }
  void on_step(const TrainState&, const StepReport& report) override {
    if (report.has_loss) losses.push_back(report.window_loss);
  }
  std::vector<double> losses;
};

struct Trained {
  explicit Trained(bool graph, int64_t accumulation = 1) : run(options(graph, accumulation)) {
    run.state.emas.push_back(std::make_unique<Ema>(*run.state.model, 0.9));
    run.trainer->add(observer);
    run.trainer->run();
  }
  static TrainerOptions options(bool graph, int64_t accumulation) {
    TrainerOptions out;
    out.graph = graph;
    out.accumulation_steps = accumulation;
    out.check_every_step = false;
    return out;
  }
  std::shared_ptr<ReadsLosses> observer = std::make_shared<ReadsLosses>();
  QuadraticRun run;
};

TEST(TrainerGraph, RecordedStepsTrainAsOthersDo) {
  const Trained plain(false);
  const CpuGraphs graphs;
  const Trained graphed(true);
  EXPECT_EQ(CpuGraphs::counts().recorded, 1);
  EXPECT_EQ(CpuGraphs::counts().replayed, 13);  // of 15 steps; two warm up
  EXPECT_EQ(graphed.observer->losses, plain.observer->losses);
  const auto expected = plain.run.state.model->named_parameters();
  for (const auto& item : graphed.run.state.model->named_parameters()) {
    EXPECT_TRUE(torch::equal(item.value(), expected[item.key()])) << item.key();
  }
  const auto moments = plain.run.state.optimizer->state();
  for (const auto& [name, tensor] : graphed.run.state.optimizer->state()) {
    EXPECT_TRUE(torch::equal(tensor, moments.at(name))) << name;
  }
  const auto averages = plain.run.state.emas[0]->state();
  for (const auto& [name, tensor] : graphed.run.state.emas[0]->state()) {
    EXPECT_TRUE(torch::allclose(tensor, averages.at(name), 1e-6, 1e-7)) << name;
  }
}

TEST(TrainerGraph, RunsStepsOneByOneWhereTheyCannotBeRecorded) {
  const Trained plain(false), without_graphs(true);
  EXPECT_EQ(without_graphs.observer->losses, plain.observer->losses);
  const CpuGraphs graphs;
  const Trained accumulated(true, /*accumulation=*/5);
  EXPECT_EQ(CpuGraphs::counts().recorded, 0);
}

// A step on tensors without data: reading one of them back throws, and a copy from the host is an
// operator with a tensor of the CPU.
void expect_safe_to_record(Task& task, const std::vector<at::Tensor>& inputs) {
  for (const auto& parameter : task.model()->parameters()) drop_data(parameter);
  task.model()->train();
  task.losses(inputs);  // what is computed once, such as tables, is there afterwards
  const auto ops = recorded_ops([&] {
    const MixedPrecision mixed(torch::kBFloat16, torch::kMeta);
    task.losses(inputs).at(0).backward();
  });
  EXPECT_GT(ops.size(), 200u);
  for (const auto& op : ops) {
    EXPECT_NE(op.name, "aten::_local_scalar_dense");
    EXPECT_NE(op.name, "aten::pin_memory");
    for (const auto* tensors : {&op.inputs, &op.outputs}) {
      for (const auto& t : *tensors) {
        // Numbers among the arguments are tensors of the CPU too; a kernel gets them by value.
        const bool number = t.defined() && t.unsafeGetTensorImpl()->is_wrapped_number();
        EXPECT_TRUE(!t.defined() || t.is_meta() || number) << op.name << " " << t.sizes();
      }
    }
  }
}

at::Tensor meta(at::IntArrayRef sizes, at::ScalarType type = torch::kFloat) {
  return torch::empty(sizes, torch::dtype(type).device(torch::kMeta));
}

TEST(TrainerGraph, AStepReadsNothingBackAndCopiesNothingFromTheHost) {
  ClassificationOptions options;
  options.loss.label_smoothing = 0.1;
  ClassificationTask mixed(create_classifier("wfm_nano"), nullptr, options);
  expect_safe_to_record(mixed, {meta({2, 3, 64, 64}), meta({2, 10})});
  ClassificationTask plain(create_classifier("wfm_nano"), nullptr, options);
  expect_safe_to_record(plain, {meta({2, 3, 64, 64}), meta({2}, torch::kLong)});
}

// What the drop path draws in a recorded step comes from the generator that the trainer seeds
// before it.
TEST(TrainerGraph, AStepDrawsFromTheGeneratorAndSeedsNone) {
  const auto model = make_classifier(classifier_options("wfm_nano").drop_path_rate(0.5));
  ClassificationTask task(model, nullptr, {});
  auto generator = torch::globalContext().defaultGenerator(torch::kCPU).clone();
  model->set_generator(generator);
  model->train();
  generator.set_current_seed(11);
  const auto common = torch::globalContext().defaultGenerator(torch::kCPU).get_state();
  const auto before = generator.get_state();
  task.losses({filled("input.x", {2, 3, 64, 64}), torch::tensor({1, 2})}).at(0).backward();
  EXPECT_EQ(generator.current_seed(), 11u);
  EXPECT_FALSE(torch::equal(generator.get_state(), before));
  EXPECT_TRUE(
      torch::equal(torch::globalContext().defaultGenerator(torch::kCPU).get_state(), common));
}

}  // namespace
}  // namespace wf::testing
