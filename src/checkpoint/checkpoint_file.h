#pragma once

#include "weightformer/config/config.h"
#include "weightformer/engine/train_state.h"
#include "weightformer/serialization/weights.h"

#include "serialization/tensor_file.h"

#include <cstdint>
#include <string>

namespace wf {

/// "weightformer"."format" of the files that this version writes. Before 3, `epoch` at the root was
/// the index of the last finished epoch; since then it counts finished epochs, as in the files of
/// the published trainer. Ours carry their exact position besides.
inline constexpr int64_t kCheckpointFormat = 3;

/// Where the EMA weights are, from 0: "model_ema", "model_ema_2", …
std::string ema_key(size_t index);

/// Where the tensors of the task are, TrainState::task_state.
inline constexpr const char* kTaskKey = "task";

/// A training checkpoint on disk, of this program or of the published trainer, opened once for all
/// that is asked of it.
class CheckpointFile {
 public:
  /// Parses everything but the bytes of the tensors. Throws wf::Error when the file cannot be read,
  /// is damaged or holds no training state.
  explicit CheckpointFile(const std::string& path);

  const std::string& path() const { return file_.path(); }
  /// Whether the published trainer wrote it (or anybody else with its keys).
  bool published() const { return own_ == nullptr; }
  /// Throws wf::Error when a later version of this program wrote the file in a format of its own.
  void require_known_format() const;

  /// Orders the checkpoints of a run by when they were saved; 0 for a published one.
  int64_t serial() const;
  /// What the validation of these very weights reached, where that was the best of the run by then;
  /// otherwise, and in files of older versions, Progress::kNone.
  double own_best() const;
  /// Where the run stood. A published file knows its finished epochs alone; `steps_per_epoch`
  /// places them on the schedule.
  Progress progress(int64_t steps_per_epoch) const;
  /// What the task of the run said of itself; class names of a published file are not known.
  Metadata metadata() const;
  /// The settings that the run was made with; those of `fallback` where the file has none.
  Config config(const Config& fallback) const;

  /// Compares the checksums of all tensors, the first time that it is called. Throws wf::Error
  /// naming the first that differs.
  void verify();

  /// Verifies the file and reads it into a state of the same model and optimizer; the schedule and
  /// the configuration stay those of the running program. Throws wf::Error when it does not fit;
  /// the state must not be used then.
  void load_into(TrainState& state, int64_t steps_per_epoch = 0, const LoadOptions& options = {});

 private:
  void read_extras(TrainState& state);
  void read_task_state(TrainState& state);

  TensorFile file_;
  const pickle::Value* own_ = nullptr;  // what only this program writes
  int64_t format_ = 0;                  // of that
  Progress progress_;                   // without `step` in a published file
  bool verified_ = false;
};

}  // namespace wf
