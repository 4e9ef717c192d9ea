// Snapshots of power-function EMAs in the directory of a run, and the EMAs made of them.
#pragma once

#include "weightformer/engine/observer.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace wf {

/// Writes RUN/ema/step_NNNNNNNN_std_S.safetensors for each average of TRAIN.EMA_STD after every
/// TRAIN.EMA_SNAPSHOT_STEPS steps and at the end of the run: a complete model, which every program
/// opens. To be added before the observer that writes checkpoints: then no checkpoint is newer than
/// a snapshot that is missing, and a run that is killed at any moment has them all in the end.
/// Snapshots after the step that a run resumes from are removed, or when an older checkpoint was
/// named for going back (TRAIN.AUTO_RESUME false) moved to RUN/ema/old_N.
class EmaSnapshotObserver : public Observer {
 public:
  /// `steps`: between two snapshots; 0: none.
  EmaSnapshotObserver(const std::string& run, int64_t steps);

  bool needs_loss(const StepReport& next) const override;
  void on_start(const TrainState& state) override;
  void on_step(const TrainState& state, const StepReport& report) override;
  void on_epoch_end(const TrainState& state, const EpochReport& report) override;

 private:
  void write(const TrainState& state);

  std::string directory_;
  int64_t every_;
  int64_t last_ = 0;  // step of the last snapshot
};

/// The metadata that names the step of the snapshot before, "0" in the first.
inline constexpr const char* kPreviousSnapshot = "ema_previous_step";

/// The averages of one step.
struct EmaSnapshot {
  int64_t step = 0;
  std::map<double, std::string> files;  ///< by relative width
};

/// The snapshots of `run` up to `last_step` (0: all), in order. Throws wf::Error naming what is
/// missing when there are none, one of them was removed or a step has not all widths; with
/// `allow_missing` only when there are none.
std::vector<EmaSnapshot> list_ema_snapshots(const std::string& run, int64_t last_step,
                                            bool allow_missing);

/// What reconstruct_ema() did.
struct ReconstructedEma {
  double error = 0;  ///< see PosthocFit
  size_t files = 0;  ///< snapshots read
};

/// Writes the EMA of relative width `std` after the last of `snapshots` to `output`, a .safetensors
/// file with the settings and class names of the run. Sums are in float64, and one tensor at a time
/// is in memory. Throws wf::Error for a width outside (0, 0.28], and naming the file for one that
/// is damaged, of another model, or has numbers that are not finite.
ReconstructedEma reconstruct_ema(const std::vector<EmaSnapshot>& snapshots, double std,
                                 const std::string& output);

}  // namespace wf
