#include "checkpoint/resume.h"

#include "weightformer/core/check.h"

#include "checkpoint/best_checkpoint.h"
#include "checkpoint/pretrained.h"
#include "config/describe.h"
#include "core/registry.h"
#include "core/text.h"
#include "engine/metadata.h"
#include "runtime/log.h"

#include <cmath>
#include <filesystem>

namespace wf {
namespace {

// The original trainer stores learning rates after scaling by the images of a step, so they are
// compared with ours after scaling, ignoring rounding.
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
  // The first epoch of a run that starts without a checkpoint; the original trainer stores there
  // where it resumed.
  before.train.start_epoch = config.train.start_epoch;
  if (file.published()) compare_scaled_rates(before.train, now.train, schedule);
  const auto changed = differences(before, now, kTrainedBy);
  if (changed.empty()) return;
  log::warning("{} was made with other settings, continuing with the new ones{}: {}", file.path(),
               file.published() ? " (learning rates as scaled by the batch)" : "",
               join(changed, ", "));
}

// Otherwise the error would list tensors instead of the changed setting.
void require_same_model(const CheckpointFile& file, const Config& config) {
  if (file.published()) return;
  const std::vector<std::string> shape{
      "MODEL.TYPE ",  "MODEL.NAME ",       "MODEL.NUM_CLASSES ",      "MODEL.DIM ",
      "MODEL.DEPTH ", "MODEL.PATCH_SIZE ", "MODEL.LINEAR_PREDICTOR ", "MODEL.CONV_PREDICTOR "};
  for (const auto& change : differences(file.config(config), config, kTrainedBy)) {
    for (const auto& key : shape) {
      WF_CHECK(!starts_with(change, key), file.path(), ": made for another model: ", change,
               "; restore it, or choose another --tag (--pretrained loads only the weights)");
    }
  }
}

bool is_in(const std::string& file, const std::string& directory) {
  std::error_code ignored;
  const auto home = std::filesystem::absolute(file).parent_path();
  return std::filesystem::equivalent(home, directory, ignored);
}

// A directory's max_acc.pth is the best checkpoint that was trained in it.
void forget_best_of_others(const std::string& directory, const MetricSpec& metric,
                           Progress& progress) {
  if (!progress.has_best()) return;
  log::info("its best {} was {}; {} starts without a best value", metric.label,
            metric.show(progress.best_metric), directory);
  progress.best_metric = Progress::kNone;
  progress.best_weights = 0;
}

// With another number of classes the head is initialized, which PretrainedWeights reports; with the
// same number it is loaded, whatever the classes are called.
void warn_of_other_classes(const Task& task, const Metadata& loaded, const std::string& file) {
  const auto now = task.metadata();
  if (const auto other = first_other_class(loaded, now); !other.empty()) {
    log::warning("{}: trained on other classes: {}; the head is loaded with the other weights",
                 file, other);
  }
}

// With TRAIN.AUTO_RESUME false nothing is resumed but `given`; from the run's own directory that is
// going back.
std::vector<SavedCheckpoint> list_unless_refused(const std::string& directory,
                                                 const std::string& given) {
  WF_CHECK((!given.empty() && is_in(given, directory)) || !has_checkpoints(directory), directory,
           ": there are checkpoints here, which TRAIN.AUTO_RESUME false would overwrite: leave it "
           "out to continue from the last one, give the run another --tag to start from the "
           "beginning, or name one of them with --resume to go back to it");
  return list_checkpoints(directory);
}

}  // namespace

std::vector<SavedCheckpoint> resume(const Config& config, const std::string& directory,
                                    const Task& task, int64_t steps_per_epoch, TrainState& state) {
  const auto& given = config.model.resume;
  remove_incomplete_files(directory);
  auto [saved, file] = config.train.auto_resume
                           ? newest_checkpoint(directory)
                           : NewestCheckpoint{list_unless_refused(directory, given), {}};
  if (file && !given.empty() && file->path() != given) {
    log::warning("resuming {} of this run, not {} (another --tag would)", file->path(), given);
  }
  if (!file && !given.empty()) file.emplace(given);
  if (file) {
    LoadOptions options;
    options.allow_missing = config.model.allow_missing;
    require_same_model(*file, config);
    task.check_metadata(file->metadata(), file->path());
    file->load_into(state, steps_per_epoch, options);
    warn_of_changed_settings(*file, config, state.schedule);
    if (is_in(file->path(), directory)) {
      restore_best(directory, saved, task.selection_metric(), state.progress);
      if (!config.train.auto_resume) move_later_checkpoints(directory, file->serial(), saved);
    } else {
      forget_best_of_others(directory, task.selection_metric(), state.progress);
    }
    if (!config.model.pretrained.empty()) {
      log::info("{}: not loaded, since the run is resumed", config.model.pretrained);
    }
    log::info("resumed {}: {} epochs and {} batches done", file->path(), state.progress.epoch,
              state.progress.batch);
  } else if (!config.model.pretrained.empty()) {
    PretrainedWeights weights(config, config.model.pretrained, LoadPurpose::training);
    warn_of_other_classes(task, weights.metadata(), config.model.pretrained);
    weights.load_into(*state.model);
    log::info("starting from the weights of {}", config.model.pretrained);
  }
  return std::move(saved);
}

}  // namespace wf
