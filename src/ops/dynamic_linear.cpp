#include "weightformer/ops/dynamic_linear.h"

#include "weightformer/core/check.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/matmul.h>

#include <cmath>

namespace wf {

at::Tensor dynamic_linear(const at::Tensor& x, const at::Tensor& left, const at::Tensor& right,
                          const at::Tensor& weight, const at::Tensor& bias) {
  WF_CHECK(x.dim() == 3 && weight.dim() == 2 && x.size(2) == weight.size(0),
           "[dynamic_linear] x: expected (B, N, C) with C = ", weight.sizes(), "[0], got ",
           x.sizes());
  WF_CHECK(left.dim() == 3 && left.size(0) == x.size(0) && left.size(2) == weight.size(0),
           "[dynamic_linear] left: expected (", x.size(0), ", R, ", weight.size(0), "), got ",
           left.sizes());
  WF_CHECK(right.dim() == 3 && right.size(0) == x.size(0) && right.size(1) == left.size(1) &&
               right.size(2) == weight.size(1),
           "[dynamic_linear] right: expected (", x.size(0), ", ", left.size(1), ", ",
           weight.size(1), "), got ", right.sizes());
  WF_CHECK(bias.dim() == 1 && bias.size(0) == weight.size(1), "[dynamic_linear] bias: expected (",
           weight.size(1), "), got ", bias.sizes());
  const double scale = 1.0 / (std::sqrt(static_cast<double>(x.size(2))) * x.size(1));
  const auto predicted = at::matmul(left.transpose(1, 2), right) * scale;  // [B, C, D]
  const auto norm = at::linalg_vector_norm(predicted, 2, {1}, /*keepdim=*/true);
  return at::matmul(x, predicted / (norm + 1) + weight) + bias;
}

}  // namespace wf
