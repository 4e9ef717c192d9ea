// What LibTorch cannot do without data, for wf_bench --device meta: the lookup of classes and the
// loss of a DiT, both small.

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

namespace wf {
namespace {

at::Tensor rows_without_data(const at::Tensor& table, int64_t, const at::Tensor& indices) {
  return at::empty({indices.numel(), table.size(1)}, table.options());
}
at::Tensor table_without_data(const at::Tensor& grad, const at::Tensor&, c10::SymInt rows,
                              c10::SymInt, bool) {
  return at::empty_symint({std::move(rows), grad.sym_size(-1)}, grad.options());
}
at::Tensor loss_without_data(const at::Tensor&, const at::Tensor& result, const at::Tensor&,
                             int64_t) {
  return at::empty_like(result);
}

}  // namespace

TORCH_LIBRARY_IMPL(aten, Meta, m) {
  m.impl("index_select", &rows_without_data);
  m.impl("embedding_dense_backward", &table_without_data);
  m.impl("mse_loss_backward", &loss_without_data);
}

}  // namespace wf
