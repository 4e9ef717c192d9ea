#pragma once

#include "weightformer/engine/observer.h"

#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace wf {

/// Thrown by Replay at its end.
struct EndReached {};

/// Measures the losses that the run had measured, and leaves the training at step `end`.
class Replay : public Observer {
 public:
  Replay(std::map<int64_t, double> losses, int64_t end) : losses_(std::move(losses)), end_(end) {}
  bool needs_loss(const StepReport& next) const override { return losses_.count(next.step) > 0; }
  void on_step(const TrainState&, const StepReport& report) override {
    const auto recorded = losses_.find(report.step);
    if (report.has_loss && recorded != losses_.end()) {
      ++compared_;
      if (different_.empty() && recorded->second != report.window_loss) {
        different_ = fmt::format("the loss at step {} is {}, and the run had {}", report.step,
                                 report.window_loss, recorded->second);
      }
    }
    if (report.step == end_) throw EndReached();
  }

  const std::string& different() const { return different_; }
  int64_t compared() const { return compared_; }

 private:
  std::map<int64_t, double> losses_;
  int64_t end_, compared_ = 0;
  std::string different_;
};

}  // namespace wf
