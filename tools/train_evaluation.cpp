#include "checkpoint/pretrained.h"
#include "engine/build.h"
#include "engine/metrics_observer.h"
#include "engine/model_cost.h"
#include "engine/tasks.h"
#include "engine/throughput.h"
#include "runtime/log.h"
#include "train.h"

#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <iostream>
#include <optional>

namespace wf {

static std::optional<PretrainedWeights> weights_of(const Config& config) {
  const auto& file = config.model.resume.empty() ? config.model.pretrained : config.model.resume;
  if (file.empty()) return std::nullopt;
  return PretrainedWeights(config, file, LoadPurpose::evaluation);
}

static int time_forward(const Run& run) {
  const auto& config = run.config;
  const auto& task = tasks().at(config.model.type);
  const auto model = task.model(config, run.device);
  if (auto weights = weights_of(config)) weights->load_into(*model);
  open_run_directory(run);
  model->eval();
  const auto cost = model_cost(*model, task.forward(config, *model, 1));
  const int64_t batch = config.data.batch_size;
  const c10::InferenceMode inference;
  const double speed =
      samples_per_second(task.forward(config, *model, batch), batch, run.device, build_amp(config));
  log::info("throughput: {:.1f} images/s at batch {}; {}", speed, batch, cost.show());
  std::cout << fmt::format(
      "{{\"images_per_s\": {}, \"batch\": {}, \"parameters\": {}, \"macs_per_sample\": {}}}\n",
      speed, batch, cost.parameters, cost.macs);
  return 0;
}

static int evaluate(const Run& run) {
  const auto& config = run.config;
  // The weights come first: they know what the outputs of the model mean.
  auto weights = weights_of(config);
  const auto saved = weights ? weights->metadata() : Metadata{};
  const TaskRequest request{run.env, run.device, run.ranks.get(), /*train=*/false, saved};
  const auto task = tasks().at(config.model.type).build(config, request).task;
  if (weights) weights->load_into(*task->model());
  open_run_directory(run);
  const auto metrics = task->evaluate(run.validation_context(), run.directory);
  run.ranks->on_root("report", [&] {
    log::info("evaluation: {}", metrics.show());
    std::cout << evaluation_json(metrics) << std::endl;
  });
  return 0;
}

int evaluate_or_time(const Run& run) {
  return run.config.throughput_mode ? time_forward(run) : evaluate(run);
}

}  // namespace wf
