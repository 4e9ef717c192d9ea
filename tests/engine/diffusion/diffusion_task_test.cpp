#include "engine/diffusion/diffusion_task.h"

#include "engine/diffusion/sampling.h"
#include "engine/distributed.h"
#include "support/cpu_graphs.h"
#include "support/fill.h"
#include "support/golden.h"

#include <gtest/gtest.h>
#include <torch/types.h>

namespace wf::testing {
namespace {

DiTOptions nano() {
  return dit_options("dit_nano").dim(16).depth(2).num_classes(3).drops_labels(false);
}

struct Fixture {
  explicit Fixture(double label_drop = 0) {
    model = std::make_shared<DiTImpl>(nano());
    fill_parameters(*model);
    DiffusionOptions options;
    options.label_drop = label_drop;
    options.seed = 5;
    task = std::make_unique<DiffusionTask>(model, nullptr, options);
  }
  std::shared_ptr<DiTImpl> model;
  std::unique_ptr<DiffusionTask> task;
};

Batch batch(int64_t first, int64_t count, int64_t epoch = 0) {
  Batch out;
  out.inputs = filled("input.x0", {64, 4, 8, 8}).narrow(0, first, count);
  out.labels = torch::arange(first, first + count) % 3;
  for (int64_t i = first; i < first + count; ++i) out.indices.push_back(i);
  out.epoch = epoch;
  return out;
}

double loss(DiffusionTask& task, const Batch& batch, uint64_t micro_batch = 0) {
  const StepRng rng(5, micro_batch, at::detail::createCPUGenerator(0));
  return task.loss(batch, rng).item<double>();
}

TEST(DiffusionTask, TheLossOfASampleDoesNotDependOnItsBatch) {
  Fixture f(/*label_drop=*/0.3);
  const double together = loss(*f.task, batch(0, 12), 0);
  double apart = 0;
  for (int64_t i = 0; i < 12; i += 4) apart += loss(*f.task, batch(i, 4), 7 + i) / 3;
  EXPECT_NEAR(together, apart, 1e-5 * together);
}

TEST(DiffusionTask, DrawsOtherNumbersInEachEpoch) {
  Fixture f;
  EXPECT_EQ(loss(*f.task, batch(0, 4, 1)), loss(*f.task, batch(0, 4, 1)));
  EXPECT_NE(loss(*f.task, batch(0, 4, 1)), loss(*f.task, batch(0, 4, 2)));
}

// A rate of 0.19 would mean that labels are dropped twice.
TEST(DiffusionTask, DropsLabelsAtTheConfiguredRate) {
  Fixture f(/*label_drop=*/0.1);
  f.model->train();
  const auto& table = f.model->y_embedder->embedding_table->weight;
  int dropped = 0;
  constexpr int kSamples = 600;
  for (int i = 0; i < kSamples; ++i) {
    const StepRng rng(5, i, at::detail::createCPUGenerator(0));
    f.model->zero_grad();
    f.task->loss(batch(i % 64, 1, i), rng).backward();
    dropped += table.grad()[f.model->null_class()].abs().max().item<double>() > 0;
  }
  EXPECT_NEAR(dropped / static_cast<double>(kSamples), 0.1, 0.035);
}

TEST(DiffusionTask, ReportsTheLossOfEachQuarterOfTheProcess) {
  Fixture f;
  double sum = 0;
  for (int64_t i = 0; i < 64; i += 8) sum += loss(*f.task, batch(i, 8));
  Distributed single;
  f.task->reduce(single);
  const auto metrics = f.task->step_metrics();
  double mean = 0, count = 0;
  for (const auto& spec : DiffusionTask::kLossByTime) {
    EXPECT_GT(metrics.value(spec), 0) << spec.name;
    mean += metrics.value(spec) / 4;
    count += 1;
  }
  EXPECT_EQ(count, 4);
  EXPECT_NEAR(mean, sum / 8, 0.4 * sum / 8);  // 64 uniform times: about 16 in each quarter
  EXPECT_TRUE(f.task->step_metrics().empty());
}

TEST(SampleGenerator, ASampleDependsOnlyOnSeedIndexAndLabel) {
  Fixture f;
  SamplingOptions options;
  options.height = options.width = 8;
  options.solver.steps = 4;
  options.guidance.scale = 2;
  options.batch_size = 64;
  const std::vector<int64_t> indices{0, 1, 2, 3, 4, 17}, labels{0, 1, 2, 0, 1, 2};
  const auto all = SampleGenerator(f.model, options).draw(indices, labels);
  options.batch_size = 4;
  const auto parts = SampleGenerator(f.model, options).draw(indices, labels);
  const auto one = SampleGenerator(f.model, options).draw({17}, {2});
  // Matrix products of another size round differently, and a few steps amplify that.
  expect_close(parts, all, 1e-4, "in batches of four");
  expect_close(one[0], all[5], 1e-4, "single");
  EXPECT_FALSE(torch::allclose(all[0], all[3], 1e-2, 1e-2));  // the same label
  // In batches of one size, bit for bit.
  options.fixed_batch = true;
  const auto fixed = SampleGenerator(f.model, options).draw(indices, labels);
  EXPECT_TRUE(torch::equal(SampleGenerator(f.model, options).draw({17}, {2})[0], fixed[5]));
  options.seed = 1;
  EXPECT_FALSE(
      torch::allclose(SampleGenerator(f.model, options).draw({17}, {2})[0], all[5], 1e-2, 1e-2));
}

TEST(SampleGenerator, DrawsTheSameSamplesByGraphs) {
  Fixture f;
  SamplingOptions options;
  options.height = options.width = 8;
  options.solver.steps = 10;
  options.guidance.scale = 2;
  options.guidance.low = 0.5;  // with guidance the network sees twice as many samples
  options.batch_size = 2;
  const auto draw = [&] { return SampleGenerator(f.model, options).draw({0, 1, 2}, {0, 1, 2}); };
  const auto plain = draw();
  const CpuGraphs graphs;
  EXPECT_TRUE(torch::equal(draw(), plain));
  EXPECT_EQ(CpuGraphs::counts().recorded, 3);  // of 2 and 4, and of 1 for the last sample
  EXPECT_GT(CpuGraphs::counts().replayed, 8);
}

TEST(SampleGenerator, GuidesInTheIntervalOfAProcessOfAnyLength) {
  Fixture f;
  SamplingOptions options;
  options.process.steps = 100;
  options.height = options.width = 8;
  options.solver.steps = 5;
  const auto draw = [&](double scale, double low) {
    options.guidance.scale = scale;
    options.guidance.low = low;
    return SampleGenerator(f.model, options).draw({0}, {1});
  };
  const auto unguided = draw(1, 0), everywhere = draw(3, 0), first_half = draw(3, 0.5);
  EXPECT_FALSE(torch::allclose(first_half, unguided, 1e-2, 1e-2));
  EXPECT_FALSE(torch::allclose(first_half, everywhere, 1e-2, 1e-2));
}

TEST(SampleGenerator, RoundsAsThePublishedScripts) {
  const auto bytes = to_bytes(torch::tensor({-2.0, -1.0, 0.0, 0.5 / 127.5, 1.0, 2.0}));
  EXPECT_TRUE(torch::equal(bytes.to(torch::kLong), torch::tensor({0, 0, 128, 128, 255, 255})));
}

}  // namespace
}  // namespace wf::testing
