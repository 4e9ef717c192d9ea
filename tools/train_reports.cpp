#include "engine/console_observer.h"
#include "engine/metrics_observer.h"
#include "engine/model_cost.h"
#include "engine/report/report_observer.h"
#include "engine/summary_observer.h"
#include "engine/tensorboard/tensorboard_observer.h"
#include "runtime/log.h"
#include "train.h"

#include <functional>

namespace wf {

void add_reports(Trainer& trainer, const Run& run, const TaskSetup& setup) {
  const auto& config = run.config;
  trainer.add(std::make_shared<ConsoleObserver>(config.print_freq));
  trainer.add(std::make_shared<MetricsObserver>(run.directory + "/metrics.jsonl"));
  trainer.add(std::make_shared<SummaryObserver>(run.directory + "/summary.csv"));
  trainer.add(std::make_shared<ReportObserver>(run.directory));
  if (!config.tensorboard) return;
  trainer.add(std::make_shared<TensorboardObserver>(run.directory + "/tensorboard", [&] {
    return augmented_sheet(*setup.task, *setup.train, static_cast<uint64_t>(config.seed));
  }));
}

void log_cost(const Run& run, Model& model) {
  run.ranks->on_root("cost of the model", [&] {
    const auto& config = run.config;
    // Not of an image so large that counting would take long, or memory that training lacks.
    constexpr int64_t kLargest = 1024;
    std::function<void()> forward = [] {};
    if (config.data.img_size <= kLargest) {
      forward = tasks().at(config.model.type).forward(config, model, 1);
    }
    log::info("{}: {}", config.model.name, model_cost(model, forward).show());
  });
}

}  // namespace wf
