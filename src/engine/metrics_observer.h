#pragma once

#include "weightformer/engine/observer.h"

#include <cstdint>
#include <string>

namespace wf {

/// metrics.jsonl, one JSON object per line. Three kinds of lines, distinguished by their keys:
///   train_loss: an epoch. epoch, step, train_loss, val_NAME of each metric (val_ema_NAME of the
///     first EMA, val_ema2_NAME of the second …), lr, images_per_s, data_wait, train_unreadable
///   loss: a step whose loss was read. step, epoch, loss (mean since the last such line), lr,
///     grad_norm, images_per_s, data_wait, memory_mib
///   neither: a validation inside an epoch. step, epoch, val_NAME …
/// A resumed run first drops the lines that it will write again. A line that could not be written
/// is written with the next one.
class MetricsObserver : public Observer {
 public:
  explicit MetricsObserver(std::string path) : path_(std::move(path)) {}
  void on_start(const TrainState& state) override;
  void on_step(const TrainState& state, const StepReport& report) override;
  void on_validation(const TrainState& state, const ValidationReport& report) override;
  void on_epoch_end(const TrainState& state, const EpochReport& report) override;

 private:
  int open_file();
  void append(const std::string& line, bool sync);

  std::string path_;
  std::string pending_;  // not yet in the file
  int64_t size_ = 0;     // of the file up to the last complete line
  uint64_t inode_ = 0;   // of the file that was written last; 0: none yet
};

/// The line that wf_train --eval prints: one JSON object, null for values that are not finite.
std::string evaluation_json(const Metrics& metrics);

}  // namespace wf
