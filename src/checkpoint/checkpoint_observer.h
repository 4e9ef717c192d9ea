#pragma once

#include "weightformer/engine/observer.h"

#include "checkpoint/saved_checkpoints.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace wf {

class BackgroundSaver;
class FolderLock;

struct CheckpointOptions {
  int64_t save_freq = 1;   ///< epochs between checkpoints
  int64_t save_steps = 0;  ///< steps between checkpoints inside an epoch; 0: none
  size_t keep = 3;         ///< checkpoints kept, the newest ones
  int world = 1;           ///< ranks that train
  std::chrono::milliseconds retry_after{30'000};  ///< after a failed write
};

/// SAVE_FREQ, SAVE_STEPS, SAVE_KEEP.
CheckpointOptions checkpoint_options(const Config& config, int world);

/// Saves a run: ckpt_epoch_N.pth every `save_freq` epochs and after the last (N counts
/// finished epochs; written before the validation and again after it), ckpt_step_S.pth every
/// `save_steps` steps, when the run is stopped and when its step limit ends it inside an epoch; the
/// newest `keep` of them, and max_acc.pth for the best value of the task's selection metric. The
/// state is copied and written by a thread while training continues.
class CheckpointObserver : public Observer {
 public:
  /// `saved`: the checkpoints in `directory`, from list_checkpoints() or resume(); serial numbers
  /// continue theirs. With the `lock` of the directory, it is created again after it was moved or
  /// deleted.
  CheckpointObserver(std::string directory, CheckpointOptions options,
                     std::vector<SavedCheckpoint> saved, std::shared_ptr<FolderLock> lock = {});
  /// Waits for pending writes.
  ~CheckpointObserver() override;

  bool needs_loss(const StepReport& next) const override;
  void on_start(const TrainState& state) override;
  void on_step(const TrainState& state, const StepReport& report) override;
  void on_validation(const TrainState& state, const ValidationReport& report) override;
  void on_train_epoch_end(const TrainState& state, const EpochReport& report) override;
  /// A failed write is logged as an error and retried while training continues. After the last
  /// epoch it throws.
  void on_epoch_end(const TrainState& state, const EpochReport& report) override;
  /// Throws when the file cannot be written.
  void on_stop(const TrainState& state) override;

 private:
  std::string due_name(const TrainState& state, const EpochReport& report) const;
  void after_writing(const std::string& name, const TrainState& state);
  void save(const std::string& name, bool best, const TrainState& state);
  void written(const SavedCheckpoint& saved);
  bool make_room();

  std::string directory_;
  CheckpointOptions options_;
  std::shared_ptr<FolderLock> lock_;    // may be null
  int64_t serial_;                      // of the last save
  int64_t saved_step_ = 0;              // step of the last save
  std::vector<SavedCheckpoint> saved_;  // on the disk, the oldest first; used by the writing thread
  std::unique_ptr<BackgroundSaver> saver_;  // the last member: its thread uses the others
};

}  // namespace wf
