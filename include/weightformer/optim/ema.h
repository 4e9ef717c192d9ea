#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

namespace torch::nn {
class Module;
}

namespace wf {

/// The exponential moving average of a model's weights: average ← decay·average + (1-decay)·weight
/// after each step (Polyak averaging, as timm's ModelEma and DiT use it). Starts at the weights.
class Ema {
 public:
  Ema(const torch::nn::Module& model, double decay);

  double decay() const { return decay_; }

  void update();

  /// Starts over from the weights as they are now.
  void reset();

  /// Exchanges the averages with the model's weights; a second call puts both back. Only data
  /// moves: tensors that others hold keep their place.
  void swap();

  /// By the model's parameter names. Shares memory.
  std::map<std::string, at::Tensor> state() const;
  /// Copies `state` in; throws wf::Error naming `source` when a name or shape differs.
  void load_state(const std::map<std::string, at::Tensor>& state, const std::string& source);

 private:
  double decay_;
  std::vector<std::string> names_;
  std::vector<at::Tensor> weights_, averages_;
};

/// Puts the averages in the place of the model's weights for as long as it lives. `ema` may be
/// null: then the weights stay.
class EmaScope {
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
