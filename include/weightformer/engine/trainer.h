#pragma once

#include "weightformer/engine/observers.h"
#include "weightformer/engine/train_state.h"

#include "data/augment/mixup.h"
#include "engine/classification/loss.h"
#include "engine/distributed.h"

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace wf {

struct TrainerOptions {
  int64_t epochs = 300;  ///< all of them, cool-down included
  double clip_grad = 5;  ///< largest total gradient norm; 0: no limit
  LossOptions loss;
  std::optional<MixupOptions> mixup;
  int64_t batch_images = 0;           ///< in a batch of all processes; 0: not known
  int64_t accumulation_steps = 1;     ///< batches whose gradients make one step
  std::optional<at::ScalarType> amp;  ///< dtype of autocast
  c10::Device device = c10::kCPU;
  int64_t print_freq = 100;  ///< batches between two measured steps
  int64_t save_steps = 0;    ///< every so many steps one is measured too, so that it can be saved
  uint64_t seed = 0;
  std::shared_ptr<Distributed> distributed;  ///< those who train together; none: this process alone
};

enum class Outcome { finished, stopped };

/// Trains `state.model` from where `state.progress` stands to the last epoch, with a validation
/// after each, and tells the observers. Knows no files.
///
/// Every draw is a function of (seed, step) or (seed, epoch, sample), so a run that was stopped and
/// resumed computes what the unbroken one computes. With accumulation, batches that do not fill a
/// step at the end of an epoch are left out, as pictures are that do not fill a batch.
///
/// Resumed with another number of pictures a step (batch size, accumulation, processes), it goes on
/// at the same place in the epoch, rounded down to a whole step, and at the same place in the
/// schedule.
///
/// With several processes, each process has its part of every batch and all have the same weights.
/// Observers are told on rank 0 alone; what they are told is of all processes.
class Trainer {
 public:
  Trainer(TrainState& state, Loader& train, Loader& validation, TrainerOptions options);

  void add(std::shared_ptr<Observer> observer) { observers_.push_back(std::move(observer)); }

  /// Returns `stopped` after a stop signal, at a step's end. Throws wf::Error with exit code
  /// kDiverged when a loss or gradient is not finite, before it reaches the weights on a CPU.
  Outcome run();

 private:
  struct Step {
    at::Tensor loss, grad_norm;  // scalars on the device; the loss is the mean over the samples
    double lr = 0;
    int64_t images = 0;
    bool measured = false;  // printed: the device may be waited for
  };
  bool train_epoch(EpochReport& report);  // false: stopped
  bool validate(EpochReport& report);     // false: stopped
  std::optional<Step> next_step();        // none: the epoch's end
  at::Tensor accumulate(const Batch& batch, int64_t number, bool last);
  void update(Step& step);
  void require_finite(const Step& step) const;
  int64_t batches_per_epoch() const;
  void find_place();
  void count_losses(const at::Tensor& losses);
  void name_straggler();
  void tell(const std::string& what, const std::function<void(Observer&)>& call);
  void require_finite_weights() const;
  void finish_epoch(EpochReport& report);

  TrainState& state_;
  Loader& train_;
  Loader& validation_;
  TrainerOptions options_;
  std::optional<Mixup> mixup_;
  at::Generator generator_;
  std::vector<std::shared_ptr<Observer>> observers_;
};

}  // namespace wf
