#pragma once

#include "weightformer/optim/param_groups.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <map>
#include <string>
#include <vector>

namespace wf {

struct GradScalerOptions {
  double init_scale = 65536;
  double growth_factor = 2;
  double backoff_factor = 0.5;
  int64_t growth_interval = 2000;  ///< steps without an overflow until the scale grows
};

/// Keeps float16 gradients out of underflow (Micikevicius et al. 2018): the loss is multiplied by a
/// scale that grows while all gradients are finite and shrinks when one is not; steps with a
/// non-finite gradient are skipped. Rule and constants are those of PyTorch's torch.amp.GradScaler.
/// Only current() synchronizes with a GPU.
class GradScaler {
 public:
  explicit GradScaler(c10::Device device, GradScalerOptions options = {});

  at::Tensor scale(const at::Tensor& loss) const { return loss * scale_; }

  /// Divides all gradients by the scale, in place. Returns [1] float32: 1 when one of them is not
  /// finite, to be passed to Optimizer::step(), else 0.
  at::Tensor unscale(const std::vector<ParamGroup>& groups) const;

  /// Updates the scale after a step.
  void update(const at::Tensor& found_inf);

  double current() const;

  /// "scale", [1] float32, and "growth_tracker", [1] int32. Shares memory.
  std::map<std::string, at::Tensor> state() const;
  /// Copies `state` in; throws wf::Error naming `source` when it is not a scaler's.
  void load_state(const std::map<std::string, at::Tensor>& state, const std::string& source);

 private:
  GradScalerOptions options_;
  at::Tensor scale_, growth_tracker_;
};

}  // namespace wf
