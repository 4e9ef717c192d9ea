#include "checkpoint/checkpoint_observer.h"

#include "weightformer/core/check.h"

#include "checkpoint/background_saver.h"
#include "core/stopwatch.h"
#include "runtime/folder_lock.h"
#include "runtime/log.h"

#include <algorithm>
#include <exception>
#include <filesystem>

namespace wf {

CheckpointOptions checkpoint_options(const Config& config, int world) {
  CheckpointOptions options;
  options.save_freq = config.save_freq;
  options.save_steps = config.save_steps;
  options.keep = static_cast<size_t>(config.save_keep);
  options.world = world;
  return options;
}

CheckpointObserver::CheckpointObserver(std::string directory, CheckpointOptions options,
                                       std::vector<SavedCheckpoint> saved,
                                       std::shared_ptr<FolderLock> lock)
    : directory_(std::move(directory)),
      options_(options),
      lock_(std::move(lock)),
      serial_(saved.empty() ? 0 : saved.back().serial),
      saved_(std::move(saved)),
      saver_(std::make_unique<BackgroundSaver>(options.retry_after)) {}

CheckpointObserver::~CheckpointObserver() = default;

bool CheckpointObserver::needs_loss(const StepReport& next) const {
  return options_.save_steps > 0 && next.step % options_.save_steps == 0;
}

void CheckpointObserver::on_start(const TrainState& state) {
  saved_step_ = state.progress.step;
  remove_incomplete_files(directory_);
}

void CheckpointObserver::on_step(const TrainState& state, const StepReport& report) {
  // The state is known to be finite only if the loss was read. The end of an epoch saves anyway.
  const auto every = options_.save_steps;
  if (every == 0 || !report.has_loss || report.last_of_epoch()) return;
  if (state.progress.step / every == saved_step_ / every) return;
  after_writing(str("ckpt_step_", state.progress.step), state);
}

void CheckpointObserver::on_validation(const TrainState& state, const ValidationReport& report) {
  if (report.best) save("", /*best=*/true, state);
}

// The name under which the end of this epoch is saved; "" when it is not.
std::string CheckpointObserver::due_name(const TrainState& state, const EpochReport& report) const {
  if (!report.complete) return str("ckpt_step_", state.progress.step);
  const auto epochs = report.epoch + 1;
  return report.last || epochs % options_.save_freq == 0 ? str("ckpt_epoch_", epochs) : "";
}

void CheckpointObserver::on_train_epoch_end(const TrainState& state, const EpochReport& report) {
  const auto name = due_name(state, report);
  if (state.progress.step == saved_step_ || name.empty()) return;  // resumed at this step
  after_writing(name, state);
}

void CheckpointObserver::on_epoch_end(const TrainState& state, const EpochReport& report) {
  const auto name = due_name(state, report);
  const bool best = report.validation && report.validation->best;
  // The save of on_train_epoch_end() may be in progress; training need not wait for it.
  if (!name.empty() || best) save(name, best, state);
  if (report.last) saver_->flush();
}

void CheckpointObserver::on_stop(const TrainState& state) {
  after_writing(str("ckpt_step_", state.progress.step), state);
  saver_->flush();
}

void CheckpointObserver::after_writing(const std::string& name, const TrainState& state) {
  const Stopwatch watch;
  saver_->wait_for_writer();
  constexpr double kNoticeable = 0.5;
  if (watch.seconds() > kNoticeable) {
    log::info("training waited {:.2f} s for the last checkpoint to be written", watch.seconds());
  }
  save(name, /*best=*/false, state);
}

void CheckpointObserver::save(const std::string& name, bool best, const TrainState& state) {
  const Stopwatch watch;
  SaveJob job;
  const SavedCheckpoint saved{++serial_, state.progress.step,
                              name.empty() ? "" : directory_ + "/" + name + ".pth",
                              best ? state.progress.best_metric : Progress::kNone};
  job.snapshot = std::make_shared<Snapshot>(state, SaveInfo{serial_, options_.world, best});
  job.path = saved.path;
  if (best) job.best_path = directory_ + "/" + kBestCheckpoint;
  if (lock_) job.prepare = [lock = lock_] { lock->renew(); };
  job.written = [this, saved] { written(saved); };
  job.make_room = [this] { return make_room(); };
  saver_->submit(std::move(job));
  if (!name.empty()) saved_step_ = state.progress.step;
  constexpr double kNoticeable = 0.5;
  if (watch.seconds() > kNoticeable) {
    log::info("training waited {:.2f} s for the copy of a checkpoint", watch.seconds());
  }
}

// Called by the writing thread.
void CheckpointObserver::written(const SavedCheckpoint& saved) {
  const auto same = [&](const auto& old) { return old.path == saved.path; };
  saved_.erase(std::remove_if(saved_.begin(), saved_.end(), same), saved_.end());
  saved_.push_back(saved);
  while (saved_.size() > options_.keep) {
    std::error_code ignored;
    std::filesystem::remove(saved_.front().path, ignored);
    saved_.erase(saved_.begin());
  }
}

// Called by the writing thread. The newest checkpoint always stays.
bool CheckpointObserver::make_room() {
  if (saved_.size() < 2) return false;
  log::warning("the disk is full: {} is removed to save a newer one", saved_.front().path);
  std::error_code ignored;
  std::filesystem::remove(saved_.front().path, ignored);
  saved_.erase(saved_.begin());
  return true;
}

}  // namespace wf
