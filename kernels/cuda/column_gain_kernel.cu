#include "kernels/cuda/column_gain_kernel.cuh"
#include "kernels/cuda/launch.cuh"
#include "ops/column_gain_kernel.h"

#include <ATen/Dispatch.h>
#include <torch/library.h>

namespace wf {
namespace {

using at::Tensor;

std::tuple<Tensor, Tensor> column_gain(const Tensor& gram, const Tensor& right, double scale) {
  return column_gain_entry(
      gram, right,
      [&](const Tensor& q, const Tensor& product, Tensor& gained, Tensor& norm,
          const ColumnGainShape& shape) {
        AT_DISPATCH_FLOATING_TYPES_AND2(
            at::kHalf, at::kBFloat16, q.scalar_type(), "column_gain", [&] {
              using A = cuda::Accumulate<scalar_t>;
              cuda::launch_column_gain<scalar_t>(
                  {q.const_data_ptr<scalar_t>(), product.const_data_ptr<A>(),
                   gained.mutable_data_ptr<scalar_t>(), norm.mutable_data_ptr<A>(),
                   static_cast<A>(scale), shape.batch, shape.rows, shape.columns},
                  cuda::launcher("column_gain"));
            });
      });
}

std::tuple<Tensor, Tensor> column_gain_backward(const Tensor& grad, const Tensor& gram,
                                                const Tensor& right, const Tensor& norm,
                                                double scale) {
  return column_gain_backward_entry(
      grad, gram, right, norm,
      [&](const Tensor& g, const Tensor& q, const Tensor& product, const Tensor& nu,
          Tensor& grad_right, Tensor& weighted, const ColumnGainShape& shape) {
        AT_DISPATCH_FLOATING_TYPES_AND2(
            at::kHalf, at::kBFloat16, q.scalar_type(), "column_gain_backward", [&] {
              using A = cuda::Accumulate<scalar_t>;
              cuda::launch_column_gain_backward<scalar_t>(
                  {g.const_data_ptr<scalar_t>(), q.const_data_ptr<scalar_t>(),
                   product.const_data_ptr<A>(), nu.const_data_ptr<A>(),
                   grad_right.mutable_data_ptr<scalar_t>(), weighted.mutable_data_ptr<A>(),
                   static_cast<A>(scale), shape.batch, shape.rows, shape.columns},
                  cuda::launcher("column_gain_backward"));
            });
      });
}

TORCH_LIBRARY_IMPL(wf, CUDA, m) {
  m.impl("column_gain", &column_gain);
  m.impl("column_gain_backward", &column_gain_backward);
}

}  // namespace
}  // namespace wf
