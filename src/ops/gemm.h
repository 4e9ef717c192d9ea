// Matrix products of float32 on CPUs by whichever of LibTorch's two libraries is faster there; all
// others are LibTorch's own operators.
//
// MKL runs AVX2 kernels on AMD's processors even where they have AVX-512; oneDNN runs AVX-512 and
// is twice as fast (docs/performance.md). So oneDNN multiplies on AMD's processors with AVX-512,
// decided by the processor's name and features, never by timing, and MKL everywhere else. The
// environment variable WF_CPU_PRODUCTS=mkl or onednn decides instead, for example to repeat an
// older run bit for bit.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace wf {

/// True if oneDNN multiplies on this machine. Throws wf::Error for an unknown WF_CPU_PRODUCTS.
bool onednn_multiplies();

/// a b. a: [M, K], b: [K, N], both of any strides.
at::Tensor product(const at::Tensor& a, const at::Tensor& b);

/// a b of each sample. a: [B, M, K], b: [B, K, N].
at::Tensor batch_product(const at::Tensor& a, const at::Tensor& b);

/// y = beta y + alpha a b, where beta is 0 or 1: with 0, what y holds is not read. y: [M, N] or
/// [B, M, N], contiguous. Returns y.
const at::Tensor& add_product_(const at::Tensor& y, const at::Tensor& a, const at::Tensor& b,
                               double beta, double alpha);

/// c + alpha a b. c: anything that expands to [B, M, N].
at::Tensor add_batch_product(const at::Tensor& c, const at::Tensor& a, const at::Tensor& b,
                             double alpha = 1);

/// x weightᵀ + bias. x: [..., C], weight: [D, C], bias: [D] or none → [..., D]. With gradients.
at::Tensor linear_product(const at::Tensor& x, const at::Tensor& weight,
                          const std::optional<at::Tensor>& bias);

}  // namespace wf
