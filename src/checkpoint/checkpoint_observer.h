#pragma once

#include "weightformer/engine/observers.h"

#include "checkpoint/saved_checkpoints.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace wf {

class BackgroundSaver;

struct CheckpointOptions {
  int64_t save_freq = 1;   ///< epochs between two
  int64_t save_steps = 0;  ///< steps between two inside an epoch; 0: none there
  size_t keep = 3;         ///< of the last ones
  int world = 1;           ///< processes that train
  std::chrono::milliseconds retry_after{30'000};  ///< when one could not be written
};

/// Keeps a run on disk: ckpt_epoch_N.pth every `save_freq` epochs and after the last (N counts
/// finished epochs; written before its validation and again after it), ckpt_step_S.pth at the first
/// printed step that is `save_steps` after the last one and when the run is stopped inside an
/// epoch; the newest `keep` of them, and max_acc.pth for the best top-1. The state is copied; a
/// thread writes it while training goes on.
class CheckpointObserver : public Observer {
 public:
  /// `saved`: the checkpoints that are in `folder` now, of list_checkpoints() or resume(); serial
  /// numbers continue theirs.
  CheckpointObserver(std::string folder, CheckpointOptions options,
                     std::vector<SavedCheckpoint> saved);
  /// Waits for what is being written.
  ~CheckpointObserver() override;

  void on_start(const TrainState& state) override;
  void on_step(const TrainState& state, const StepReport& report) override;
  void on_trained(const TrainState& state, const EpochReport& report) override;
  /// A file that cannot be written is an error in the log and is tried again; training goes on.
  /// After the last epoch it throws: the run is about to end.
  void on_epoch(const TrainState& state, const EpochReport& report) override;
  /// Throws when the file cannot be written.
  void on_stop(const TrainState& state) override;

 private:
  bool due(int64_t epochs, const EpochReport& report) const;
  void after_writing(const std::string& name, bool best, const TrainState& state);
  void save(const std::string& name, bool best, const TrainState& state);
  void written(const SavedCheckpoint& saved);

  std::string folder_;
  CheckpointOptions options_;
  int64_t serial_;                          // of the last save
  int64_t saved_step_ = 0;                  // where it stood
  std::vector<SavedCheckpoint> saved_;      // on the disk, the oldest first; the writer's
  std::unique_ptr<BackgroundSaver> saver_;  // the last member: its thread uses the others
};

}  // namespace wf
