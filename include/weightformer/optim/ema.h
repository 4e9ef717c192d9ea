#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

namespace torch::nn {
class Module;
}

namespace wf {

/// The exponential moving average (EMA) of a model's weights: average ← decay·average +
/// (1-decay)·weight after each step (Polyak averaging, as in timm's ModelEma and DiT). It starts at
/// the weights.
class Ema {
 public:
  Ema(const torch::nn::Module& model, double decay);

  double decay() const { return decay_; }

  void update();

  /// Restarts the average from the current weights.
  void reset();

  /// Swaps the averages with the model's weights; a second call restores both. The values are
  /// copied, so tensors held elsewhere stay valid.
  void swap();

  /// The averages by parameter name. The tensors share memory with this object.
  std::map<std::string, at::Tensor> state() const;
  /// Copies `state` in; throws wf::Error naming `source` when a name or shape differs.
  void load_state(const std::map<std::string, at::Tensor>& state, const std::string& source);

 private:
  double decay_;
  std::vector<std::string> names_;
  std::vector<at::Tensor> weights_, averages_;
};

<<<<<<< HEAD
/// Puts the averages in the place of the model's weights for as long as it lives. `ema` may be
/// null: then the weights stay.
class EmaScope {
=======
/// Swaps the EMA weights into the model for its lifetime. Does nothing when `ema` is null.
class AveragedWeights {
>>>>>>> 5a5fb5fe8873953bad113f330f928d35b2d3a131
 public:
  explicit EmaScope(Ema* ema) : ema_(ema) {
    if (ema_) ema_->swap();
  }
  ~EmaScope() {
    if (ema_) ema_->swap();
  }
  EmaScope(const EmaScope&) = delete;
  EmaScope& operator=(const EmaScope&) = delete;

 private:
  Ema* ema_;
};

}  // namespace wf
