#include "checkpoint/pretrained.h"
#include "engine/build.h"
#include "engine/metrics_observer.h"
#include "engine/tasks.h"
#include "runtime/log.h"
#include "train.h"

#include <fmt/format.h>

#include <iostream>
#include <optional>

namespace wf {

int evaluate_or_time(const Run& run) {
  const auto& config = run.config;
  const auto& file = config.model.resume.empty() ? config.model.pretrained : config.model.resume;
  // The weights come first: they know what the outputs of the model mean.
  std::optional<PretrainedWeights> weights;
  if (!file.empty()) weights.emplace(config, file, LoadPurpose::evaluation);
  const auto saved = weights ? weights->metadata() : Metadata{};
  const TaskRequest request{run.env, run.device, run.ranks.get(), /*train=*/false, saved};
  const auto task = tasks().at(config.model.type).build(config, request).task;
  if (weights) weights->load_into(*task->model());
  const auto context = run.validation_context();
  if (config.throughput_mode) {
    const auto [speed, batch] = task->throughput(context);
    log::info("throughput: {:.1f} images/s at batch {}", speed, batch);
    std::cout << fmt::format("{{\"images_per_s\": {}, \"batch\": {}}}\n", speed, batch);
    return 0;
  }
  const auto metrics = task->evaluate(context, run.directory);
  run.ranks->on_root("report", [&] {
    log::info("evaluation: {}", metrics.show());
    std::cout << evaluation_json(metrics) << std::endl;
  });
  return 0;
}

}  // namespace wf
