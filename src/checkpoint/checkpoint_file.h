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
/// the original trainer. Files of this program also hold the exact position.
inline constexpr int64_t kCheckpointFormat = 3;

/// Where the EMA weights are, from 0: "model_ema", "model_ema_2", …
std::string ema_key(size_t index);

/// Where the tensors of the task are, TrainState::task_state.
inline constexpr const char* kTaskKey = "task";

/// A training checkpoint on disk, of this program, of the original trainer or of DiT, fast-DiT and
/// their descendants ({model, ema, opt, args}), opened only once.
class CheckpointFile {
 public:
  /// Parses everything but the bytes of the tensors. Throws wf::Error when the file cannot be read,
  /// is damaged or holds no training state.
  explicit CheckpointFile(const std::string& path);

  const std::string& path() const { return file_.path(); }
  /// Whether the original trainer (or another program with its keys) wrote it.
  bool published() const { return own_ == nullptr; }
  /// Throws wf::Error when a later version of this program wrote the file in a format of its own.
  void require_known_format() const;

  /// Orders the checkpoints of a run by when they were saved; 0 for one of the original trainer.
  int64_t serial() const;
  /// The selection metric of these weights, if it was the best of the run so far; otherwise, and in
  /// files of older versions, Progress::kNone.
  double own_best() const;
  /// The position of the run. A file of the original trainer has only the number of finished
  /// epochs, one of DiT only the number of steps; `steps_per_epoch` converts them.
  Progress progress(int64_t steps_per_epoch) const;
  /// The metadata of the task; a file of the original trainer has no class names.
  Metadata metadata() const;
  /// The settings that the run was made with; those of `fallback` where the file has none.
  Config config(const Config& fallback) const;

  /// Verifies the checksums of all tensors on the first call. Throws wf::Error
  /// naming the first that differs.
  void verify();

  /// Verifies the file and reads it into a state of the same model and optimizer; the schedule and
  /// the configuration stay those of the running program. Throws wf::Error on a mismatch; the state
  /// must not be used then.
  void load_into(TrainState& state, int64_t steps_per_epoch = 0, const LoadOptions& options = {});

 private:
  void read_extras(TrainState& state);
  void read_task_state(TrainState& state);

  TensorFile file_;
  const pickle::Value* optimizer_ = nullptr;
  const pickle::Value* own_ = nullptr;  // the section that only this program writes
  bool dit_ = false;                    // DiT's keys
  int64_t format_ = 0;                  // of that section
  Progress progress_;  // without `step` in a file of the original trainer, only it in one of DiT
  bool verified_ = false;
};

}  // namespace wf
