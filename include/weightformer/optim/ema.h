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

/// Swaps the EMA weights into the model for its lifetime. Does nothing when `ema` is null.
class AveragedWeights {
 public:
  explicit AveragedWeights(Ema* ema) : ema_(ema) {
    if (ema_) ema_->swap();
  }
  ~AveragedWeights() {
    if (ema_) ema_->swap();
  }
  AveragedWeights(const AveragedWeights&) = delete;
  AveragedWeights& operator=(const AveragedWeights&) = delete;

 private:
  Ema* ema_;
};

}  // namespace wf
