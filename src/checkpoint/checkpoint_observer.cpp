#include "checkpoint/checkpoint_observer.h"

#include "weightformer/core/check.h"

#include "checkpoint/background_saver.h"
#include "runtime/log.h"

#include <algorithm>
#include <exception>
#include <filesystem>

namespace wf {

CheckpointObserver::CheckpointObserver(std::string folder, CheckpointOptions options,
                                       std::vector<SavedCheckpoint> saved)
    : folder_(std::move(folder)),
      options_(options),
      serial_(saved.empty() ? 0 : saved.back().serial),
      saved_(std::move(saved)),
      saver_(std::make_unique<BackgroundSaver>(options.retry_after)) {}

CheckpointObserver::~CheckpointObserver() = default;

void CheckpointObserver::on_start(const TrainState& state) {
  saved_step_ = state.progress.step;
  // What a killed process left half-written.
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, ignored)) {
    const auto name = entry.path().filename().string();
    if (name.find(".pth.tmp") != std::string::npos || name.rfind("metrics.jsonl.tmp", 0) == 0) {
      std::filesystem::remove(entry.path(), ignored);
    }
  }
}

void CheckpointObserver::on_step(const TrainState& state, const StepReport& report) {
  // Only there is the state known to be finite and its mean loss up to date. The end of an epoch
  // saves anyway.
  const auto every = options_.save_steps;
  if (every == 0 || !report.measured || report.last_of_epoch()) return;
  if (state.progress.step / every == saved_step_ / every) return;
  after_writing(str("ckpt_step_", state.progress.step), /*best=*/false, state);
}

bool CheckpointObserver::due(int64_t epochs, const EpochReport& report) const {
  return epochs % options_.save_freq == 0 || report.last;
}

void CheckpointObserver::on_trained(const TrainState& state, const EpochReport& report) {
  const auto epochs = state.progress.epoch + 1;
  if (state.progress.step == saved_step_ || !due(epochs, report)) return;  // it was resumed here
  after_writing(str("ckpt_epoch_", epochs), /*best=*/false, state);
}

void CheckpointObserver::on_epoch(const TrainState& state, const EpochReport& report) {
  const auto epochs = state.progress.epoch;
  const bool numbered = due(epochs, report);
  if (numbered || report.best) {
    // What on_trained() saved may still be on its way, and training need not wait for it.
    save(numbered ? str("ckpt_epoch_", epochs) : "", report.best, state);
  }
  if (report.last) saver_->flush();
}

void CheckpointObserver::on_stop(const TrainState& state) {
  after_writing(str("ckpt_step_", state.progress.step), /*best=*/false, state);
  saver_->flush();
}

void CheckpointObserver::after_writing(const std::string& name, bool best,
                                       const TrainState& state) {
  const Stopwatch watch;
  saver_->wait_for_writer();
  constexpr double kNoticeable = 0.5;
  if (watch.seconds() > kNoticeable) {
    log::info("training waited {:.2f} s for the last checkpoint to be written", watch.seconds());
  }
  save(name, best, state);
}

void CheckpointObserver::save(const std::string& name, bool best, const TrainState& state) {
  const Stopwatch watch;
  SaveJob job;
  const SavedCheckpoint saved{++serial_, state.progress.step,
                              name.empty() ? "" : folder_ + "/" + name + ".pth"};
  job.snapshot = std::make_shared<Snapshot>(state, SaveInfo{serial_, options_.world});
  job.path = saved.path;
  if (best) job.best_path = folder_ + "/" + kBestCheckpoint;
  job.written = [this, saved] { written(saved); };
  saver_->submit(std::move(job));
  if (!name.empty()) saved_step_ = state.progress.step;
  constexpr double kNoticeable = 0.5;
  if (watch.seconds() > kNoticeable) {
    log::info("training waited {:.2f} s for the copy of a checkpoint", watch.seconds());
  }
}

// In the writer's thread.
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

}  // namespace wf
