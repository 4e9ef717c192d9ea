#pragma once

#include "weightformer/ops/layer_norm.h"

#include <torch/nn/modules/normalization.h>

namespace wf {

/// The affine norm of a module, for ops/layer_norm.h.
NormOptions options_of(const torch::nn::LayerNormImpl& norm);

/// norm(x) in the dtype of x; under TokenType::autocast in that which PyTorch chooses.
at::Tensor norm_tokens(torch::nn::LayerNormImpl& norm, const at::Tensor& x);

}  // namespace wf
