#include "engine/console_observer.h"
#include "engine/metrics_observer.h"
#include "engine/report/report_observer.h"
#include "engine/summary_observer.h"
#include "engine/tensorboard/tensorboard_observer.h"
#include "train.h"

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

}  // namespace wf
