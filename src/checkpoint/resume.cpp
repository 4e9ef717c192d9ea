#include "checkpoint/resume.h"

#include "checkpoint/checkpoint.h"
#include "config/describe.h"
#include "core/registry.h"
#include "runtime/log.h"

#include <filesystem>

namespace wf {
namespace {

void say(const std::string& file, const LoadReport& report) {
  if (!report.missing.empty()) {
    log::warning("{}: not in the file, left as they were: {}", file, join(report.missing, ", "));
  }
  if (!report.surplus.empty()) {
    log::warning("{}: not in the model, left out: {}", file, join(report.surplus, ", "));
  }
  if (!report.fresh_head.empty()) {
    log::info("{}: another class count, fresh ones here: {}", file, join(report.fresh_head, ", "));
  }
}

void say_changed_settings(const std::string& file, const Config& config) {
  const auto changed = differences(saved_settings(file, config), config, {Scope::training});
  if (changed.empty()) return;
  log::warning("{} was made with other settings, going on with the new ones: {}", file,
               join(changed, ", "));
}

// A folder's max_acc.pth is the best of what was trained in it.
void forget_best_of_others(const std::string& file, const std::string& folder, Progress& progress) {
  std::error_code ignored;
  const auto home = std::filesystem::absolute(file).parent_path();
  if (progress.max_accuracy == 0 || std::filesystem::equivalent(home, folder, ignored)) return;
  log::info("its best top-1 was {:.2f} %; {} starts with a best of its own", progress.max_accuracy,
            folder);
  progress.max_accuracy = 0;
  progress.best_averaged = false;
}

}  // namespace

std::vector<std::string> load_weights(const Config& config, Classifier& model,
                                      const std::string& file, WeightsFor use) {
  WeightsOptions wanted;
  wanted.checksums = Checksums::while_loading;
  wanted.ema = use == WeightsFor::evaluation && config.test.ema;
  auto weights = read_weights(file, wanted);
  LoadOptions options;
  options.allow_missing = config.model.allow_missing;
  options.other_head = use == WeightsFor::training;
  if (weights.averaged_too) {
    log::info("{}: holds averaged weights too; taking {}", file,
              wanted.ema ? "those" : "the ones that were trained (TEST.EMA evaluates the average)");
  }
  auto classes = std::move(weights.classes);
  const auto report = load_weights(model, std::move(weights), file, options);
  say(file, report);
  return report.fresh_head.empty() ? classes : std::vector<std::string>{};
}

void resume(const Config& config, const std::string& folder, TrainState& state) {
  auto file = config.train.auto_resume ? newest_checkpoint(folder) : std::nullopt;
  if (file && !config.model.resume.empty() && *file != config.model.resume) {
    log::warning("going on from {} of this run, not from {} (another --tag would)", *file,
                 config.model.resume);
  }
  if (!file && !config.model.resume.empty()) file = config.model.resume;
  if (file) {
    LoadOptions options;
    options.allow_missing = config.model.allow_missing;
    load_checkpoint(*file, state, state.schedule.total_steps / config.train.epochs, options);
    say_changed_settings(*file, config);
    forget_best_of_others(*file, folder, state.progress);
    if (!config.model.pretrained.empty()) {
      log::info("{}: not taken, as the run goes on", config.model.pretrained);
    }
    log::info("resumed {}: {} epochs and {} batches done", *file, state.progress.epoch,
              state.progress.batch);
  } else if (!config.model.pretrained.empty()) {
    load_weights(config, *state.model, config.model.pretrained, WeightsFor::training);
    log::info("starting from the weights of {}", config.model.pretrained);
  }
}

}  // namespace wf
