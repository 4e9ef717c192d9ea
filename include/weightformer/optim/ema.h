#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace torch::nn {
class Module;
}

namespace wf {

/// The decay of an EMA by step.
class EmaRule {
 public:
  /// The same decay in every step, in [0, 1), as in timm's ModelEma and DiT.
  EmaRule(double decay);  // NOLINT: a plain number is a decay

  /// The power-function profile of Karras et al. 2024 ("Analyzing and Improving the Training
  /// Dynamics of Diffusion Models", section 3): the average's standard deviation in time is `std`
  /// of the time trained so far, in (0, 0.28].
  static EmaRule power(double std);
  /// The exponent gamma of that profile t^gamma.
  static double power_exponent(double std);

  /// The decay of step `step`, from 1.
  double decay(int64_t step) const;

 private:
  double decay_ = 0;
  double exponent_ = -1;  // gamma of a power function; negative: constant
};

/// The exponential moving average of a model's weights: average ← decay·average + (1-decay)·weight
/// after each step (Polyak averaging). Starts at the weights.
class Ema {
 public:
  Ema(const torch::nn::Module& model, EmaRule rule);

  /// After optimizer step `step`, from 1.
  void update(int64_t step);

  /// How much of the weights step `step`, from 1, takes: 1 - decay.
  double weight(int64_t step) const { return 1 - rule_.decay(step); }
  /// After an optimizer step whose weight() is a scalar on the device of the weights.
  void update(const at::Tensor& weight);

  /// Starts over from the weights as they are now.
  void reset();

  /// Exchanges the averages with the model's weights; a second call puts both back. Only the data
  /// are exchanged: existing references to the tensors stay valid.
  void swap();

  /// By the model's parameter names. Shares memory.
  std::map<std::string, at::Tensor> state() const;
  /// Copies `state` in; throws wf::Error naming `source` when a name or shape differs.
  void load_state(const std::map<std::string, at::Tensor>& state, const std::string& source);

 private:
  EmaRule rule_;
  std::vector<std::string> names_;
  std::vector<at::Tensor> weights_, averages_;
};

/// Replaces the model's weights by the EMA weights during its lifetime. `ema` may be null: then
/// nothing happens.
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
