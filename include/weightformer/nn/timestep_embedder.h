#pragma once

#include <torch/nn/cloneable.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/pimpl.h>

namespace wf {

struct TimestepEmbedderOptions {
  TimestepEmbedderOptions(int64_t dim) : dim_(dim) {}
  TORCH_ARG(int64_t, dim);                ///< C
  TORCH_ARG(int64_t, frequencies) = 256;  ///< even: cosines, then as many sines
};

/// Embeds the step of a diffusion process (as in ADM, Dhariwal and Nichol 2021): cosines and sines
/// of t * 10000^(-i/128), then an MLP with a SiLU. Parameters: mlp.0 and mlp.2 (Linear),
/// initialized with normal(0.02) and bias 0.
class TimestepEmbedderImpl : public torch::nn::Cloneable<TimestepEmbedderImpl> {
 public:
  explicit TimestepEmbedderImpl(TimestepEmbedderOptions options);
  void reset() override;

  /// t: [B], integer or fractional steps of any dtype → [B, C]. Angles are float32, as in the
  /// original.
  at::Tensor forward(const at::Tensor& t);

  TimestepEmbedderOptions options;
  torch::nn::Sequential mlp{nullptr};
};
TORCH_MODULE(TimestepEmbedder);

}  // namespace wf
