#pragma once

#include "weightformer/engine/observer.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace wf {

/// summary.csv, one row for each epoch, with the columns of timm's update_summary(): epoch (from
/// 0), train_loss, eval_loss, eval_top1, eval_top5 …, lr; then eval_ema_loss … of each EMA. Epochs
/// without a validation leave their columns empty. A resumed run drops the rows that it writes
/// again. A file that cannot be written is logged once and tried again after the next epoch.
class SummaryObserver : public Observer {
 public:
  explicit SummaryObserver(std::string path) : path_(std::move(path)) {}
  void on_start(const TrainState& state) override;
  void on_epoch_end(const TrainState& state, const EpochReport& report) override;

 private:
  using Row = std::map<std::string, std::string>;
  void put(Row& row, const std::string& prefix, const Metrics& metrics);
  void write();

  std::string path_;
  std::vector<std::string> columns_;
  std::vector<Row> rows_;
  bool warned_ = false;
};

}  // namespace wf
