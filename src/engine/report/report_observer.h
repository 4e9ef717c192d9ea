#pragma once

#include "weightformer/engine/observer.h"

#include <string>

namespace wf {

/// After each epoch: report.html, from the files of the run directory, and validation.json, see
/// run_files.h. To be added behind the MetricsObserver, whose lines it reads. A report that cannot
/// be written is logged once.
class ReportObserver : public Observer {
 public:
  explicit ReportObserver(std::string directory) : directory_(std::move(directory)) {}
  void on_epoch_end(const TrainState& state, const EpochReport& report) override;

 private:
  std::string directory_;
  bool warned_ = false;
};

}  // namespace wf
