// Weight initialization that LibTorch lacks.
#pragma once

#include <ATen/core/Tensor.h>

namespace torch::nn {
class Module;
}

namespace wf {

/// Fills with a normal distribution of mean 0, cut off at ±2 (absolute, as in timm and PyTorch).
void trunc_normal_(const at::Tensor& tensor, double std);

/// Every torch::nn::Linear below `module`: weight trunc_normal(0.02), bias 0 (the original's
/// initialization of the classifiers).
void init_linears_(torch::nn::Module& module);

}  // namespace wf
