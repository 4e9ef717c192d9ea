#pragma once

#include "weightformer/engine/train_state.h"

#include "core/stopwatch.h"
#include "dist/data_parallel.h"
#include "dist/step_exchange.h"
#include "dist/straggler.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace wf {

/// Distributed context of a trainer. With a single process every call is a no-op or a plain local
/// call.
class Distributed {
 public:
  /// A single process.
  Distributed() = default;
  /// The processes of `group`.
  Distributed(std::shared_ptr<ProcessGroup> group, DataParallelOptions options)
      : group_(std::move(group)), options_(options) {}

  int rank() const { return group_ ? group_->rank() : 0; }
  int world() const { return group_ ? group_->world() : 1; }
  /// See ProcessGroup::is_root().
  bool is_root() const { return !group_ || group_->is_root(); }
  bool simulated() const { return group_ && group_->simulated(); }
  /// What a simulated run would have exchanged so far; empty otherwise.
  Traffic traffic() const { return group_ ? group_->traffic() : Traffic{}; }

  /// Broadcasts rank 0's state (weights, optimizer, scaler, EMAs, progress), so that only rank 0
  /// needs to have read a checkpoint. Call it once, before the first step.
  void broadcast(TrainState& state);

  /// Begin and end of a step; in between, backward() once per micro-batch, with `last` for the last
  /// one.
  void begin_step();
  void backward(const at::Tensor& loss, bool last);
  void end_step();

  /// Whether to stop now, after a signal to any rank; the same on all ranks. Between steps.
  bool stop() const;

  /// The straggler since the last call, if any.
  std::optional<Straggler> straggler() { return watch_.take(); }

  /// The sum of `tensor` over the processes, in place; on the CPU or the device.
  void sum(at::Tensor& tensor);
  double sum(double value);

  /// See ProcessGroup::require_equal().
  void require_equal(const std::string& what, const std::string& text, const std::string& advice);

  /// Runs `work` on rank 0 while the others wait.
  void on_root(const std::string& what, const std::function<void()>& work);

 private:
  std::shared_ptr<ProcessGroup> group_;
  DataParallelOptions options_;
  std::unique_ptr<DataParallel> parallel_;
  std::unique_ptr<StepExchange> exchange_;
  StragglerWatch watch_;
  Stopwatch since_begin_;
  double own_seconds_ = 0;  // this process's work in the last step
  bool stop_ = false;
};

}  // namespace wf
