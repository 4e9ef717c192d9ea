#include "checkpoint/resume.h"

#include "config/describe.h"
#include "core/registry.h"
#include "runtime/log.h"

#include <cmath>
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

// What the published trainer calls its rates are those it trains with, scaled by the images of a
// step, so they are compared with ours as scaled. Another order of rounding is no difference.
void compare_scaled_rates(TrainConfig& before, TrainConfig& now, const LrScheduleOptions& scaled) {
  constexpr double kRounding = 1e-12;
  const auto compare = [](double& was, double& is, double rate) {
    is = rate;
    if (std::abs(was - rate) <= kRounding * std::abs(rate)) was = rate;
  };
  compare(before.base_lr, now.base_lr, scaled.base_lr);
  compare(before.warmup_lr, now.warmup_lr, scaled.warmup_lr);
  compare(before.min_lr, now.min_lr, scaled.min_lr);
}

void warn_of_changed_settings(const CheckpointFile& file, const Config& config,
                              const LrScheduleOptions& schedule) {
  auto before = file.config(config), now = config;
  // Neither a new directory nor other intervals of writing make it another run.
  before.tag = config.tag;
  before.print_freq = config.print_freq;
  before.save_freq = config.save_freq;
  before.save_steps = config.save_steps;
  before.save_keep = config.save_keep;
  before.dist.timeout_s = config.dist.timeout_s;
  // The first epoch of a run that starts without a checkpoint; the published trainer notes there
  // where it resumed.
  before.train.start_epoch = config.train.start_epoch;
  if (file.published()) compare_scaled_rates(before.train, now.train, schedule);
  const auto changed = differences(without_local_settings(before), without_local_settings(now));
  if (changed.empty()) return;
  log::warning("{} was made with other settings, going on with the new ones{}: {}", file.path(),
               file.published() ? " (learning rates as scaled by the batch)" : "",
               join(changed, ", "));
}

// A directory's max_acc.pth is the best of what was trained in it.
void forget_best_of_others(const std::string& file, const std::string& directory,
                           Progress& progress) {
  std::error_code ignored;
  const auto home = std::filesystem::absolute(file).parent_path();
  if (progress.max_accuracy == 0 || std::filesystem::equivalent(home, directory, ignored)) return;
  log::info("its best top-1 was {:.2f} %; {} starts with a best of its own", progress.max_accuracy,
            directory);
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
    log::info("{}: holds EMA weights too; taking {}", file,
              wanted.ema ? "those" : "the trained ones (TEST.EMA evaluates the others)");
  }
  auto classes = std::move(weights.classes);
  const auto report = load_weights(model, std::move(weights), file, options);
  say(file, report);
  return report.fresh_head.empty() ? classes : std::vector<std::string>{};
}

std::vector<SavedCheckpoint> resume(const Config& config, const std::string& directory,
                                    TrainState& state) {
  const auto& given = config.model.resume;
  auto [saved, file] = config.train.auto_resume
                           ? newest_checkpoint(directory)
                           : NewestCheckpoint{list_checkpoints(directory), std::nullopt};
  if (file && !given.empty() && file->path() != given) {
    log::warning("resuming {} of this run, not {} (another --tag would)", file->path(), given);
  }
  if (!file && !given.empty()) file.emplace(given);
  if (file) {
    LoadOptions options;
    options.allow_missing = config.model.allow_missing;
    file->load_into(state, state.schedule.total_steps / config.train.epochs, options);
    warn_of_changed_settings(*file, config, state.schedule);
    forget_best_of_others(file->path(), directory, state.progress);
    if (!config.model.pretrained.empty()) {
      log::info("{}: not taken, as the run goes on", config.model.pretrained);
    }
    log::info("resumed {}: {} epochs and {} batches done", file->path(), state.progress.epoch,
              state.progress.batch);
  } else if (!config.model.pretrained.empty()) {
    load_weights(config, *state.model, config.model.pretrained, WeightsFor::training);
    log::info("starting from the weights of {}", config.model.pretrained);
  }
  return std::move(saved);
}

}  // namespace wf
