#pragma once

#include "weightformer/engine/observers.h"

#include <string>

namespace wf {

/// Keeps a run on disk: ckpt_epoch_N.safetensors every `save_freq` epochs and after the last (N
/// counts finished epochs), the newest three of them, max_acc.safetensors for the best top-1, and
/// ckpt_step_S.safetensors when the run is stopped inside an epoch.
class CheckpointObserver : public Observer {
 public:
  CheckpointObserver(std::string folder, int64_t save_freq)
      : folder_(std::move(folder)), save_freq_(save_freq) {}

  void on_start(const TrainState& state) override;
  /// A file that cannot be written is an error in the log; training goes on.
  void on_epoch(const TrainState& state, const EpochReport& report) override;
  /// Throws when the file cannot be written: the run is about to end.
  void on_stop(const TrainState& state) override;

 private:
  void save(const std::string& name, const TrainState& state);

  std::string folder_;
  int64_t save_freq_;
  int64_t serial_ = 0;  // of the last save
};

}  // namespace wf
