#include "ops/column_gain_kernel.h"

#include "kernels/cpu/capability.h"
#include "kernels/cpu/column_gain_loops.h"

#include <ATen/Dispatch.h>

namespace wf {
namespace {

std::tuple<at::Tensor, at::Tensor> column_gain(const at::Tensor& gram, const at::Tensor& right,
                                               double scale) {
  return column_gain_entry(gram, right,
                           [&](const at::Tensor& q, const at::Tensor& product, at::Tensor& gained,
                               at::Tensor& norm, const ColumnGainShape& shape) {
                             AT_DISPATCH_FLOATING_TYPES_AND2(
                                 at::kHalf, at::kBFloat16, q.scalar_type(), "column_gain", [&] {
                                   using A = Accumulate<scalar_t>;
                                   gain(q.const_data_ptr<scalar_t>(), product.const_data_ptr<A>(),
                                        gained.mutable_data_ptr<scalar_t>(),
                                        norm.mutable_data_ptr<A>(), static_cast<A>(scale), shape);
                                 });
                           });
}

std::tuple<at::Tensor, at::Tensor> column_gain_backward(const at::Tensor& grad,
                                                        const at::Tensor& gram,
                                                        const at::Tensor& right,
                                                        const at::Tensor& norm, double scale) {
  return column_gain_backward_entry(
      grad, gram, right, norm,
      [&](const at::Tensor& g, const at::Tensor& q, const at::Tensor& product, const at::Tensor& nu,
          at::Tensor& grad_right, at::Tensor& weighted, const ColumnGainShape& shape) {
        AT_DISPATCH_FLOATING_TYPES_AND2(
            at::kHalf, at::kBFloat16, q.scalar_type(), "column_gain_backward", [&] {
              using A = Accumulate<scalar_t>;
              gain_backward(g.const_data_ptr<scalar_t>(), q.const_data_ptr<scalar_t>(),
                            product.const_data_ptr<A>(), nu.const_data_ptr<A>(),
                            grad_right.mutable_data_ptr<scalar_t>(), weighted.mutable_data_ptr<A>(),
                            static_cast<A>(scale), shape);
            });
      });
}

WF_CPU_KERNELS(m) {
  m.impl("column_gain", &column_gain);
  m.impl("column_gain_backward", &column_gain_backward);
}

}  // namespace
}  // namespace wf
