#pragma once

#include <ATen/core/Generator.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/pimpl.h>

namespace wf {

struct DropPathOptions {
  DropPathOptions(double rate = 0) : rate_(rate) {}
  TORCH_ARG(double, rate);  ///< probability of dropping a sample, in [0, 1)
};

/// Stochastic depth (Huang et al. 2016): in training, zeroes samples with probability `rate`
/// and divides the others by 1 - rate.
class DropPathImpl : public torch::nn::Cloneable<DropPathImpl> {
 public:
  explicit DropPathImpl(DropPathOptions options = {});
  void reset() override {}

  /// True in training mode with rate > 0; otherwise forward() is the identity.
  bool active() const { return is_training() && options.rate() > 0; }

  /// x: [B, N, C] → [B, N, C].
  at::Tensor forward(const at::Tensor& x);

  /// The draw of forward(x), [B]: what it multiplies each sample by, in float32 (double for
  /// double). Undefined where it is the identity.
  at::Tensor row_scale(const at::Tensor& x) const;

  /// The generator that forward(x) draws from.
  at::Generator generator_for(const at::Tensor& x) const;

  /// Sets the generator of random draws; undefined (the default) means the device's default
  /// generator.
  at::Generator generator;
  DropPathOptions options;
};
TORCH_MODULE(DropPath);

}  // namespace wf
