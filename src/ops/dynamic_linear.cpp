// Has no kernel: a sequence of GEMMs with column_gain between them. The formulas are those of
// docs/kernels.md; "right'" there is `gained` here.

#include "weightformer/ops/dynamic_linear.h"

#include "weightformer/ops/column_gain.h"

#include "ops/dispatch.h"
#include "ops/gemm.h"
#include "ops/op_common.h"

#include <ATen/TensorOperators.h>
#include <ATen/autocast_mode.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/matmul.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <cmath>

namespace wf {
namespace {

using at::Tensor;
using Triple = std::tuple<Tensor, Tensor, Tensor>;
using Gradients = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor>;

void check_shapes(const char* op, const Tensor& x, const Tensor& left, const Tensor& right,
                  const Tensor& weight, const Tensor& bias) {
  WF_CHECK(x.dim() == 3 && weight.dim() == 2 && x.size(2) == weight.size(0), "[", op,
           "] x: expected (B, N, C) with C = ", weight.sizes(), "[0], got ", x.sizes());
  const int64_t b = x.size(0), c = weight.size(0), d = weight.size(1);
  WF_CHECK(left.dim() == 3 && left.size(0) == b && left.size(2) == c, "[", op, "] left: expected (",
           b, ", R, ", c, "), got ", left.sizes());
  check_shape(op, "right", right, {b, left.size(1), d});
  check_shape(op, "bias", bias, {d});
}

// Autocast casts the inputs of the original's order one by one; this op requires one dtype.
void check_dtypes(const char* op, const Tensor& x, std::initializer_list<Tensor> others) {
  for (const auto& t : others) {
    WF_CHECK(t.scalar_type() == x.scalar_type(), "[", op, "] expected one dtype, got ",
             x.scalar_type(), " and ", t.scalar_type());
  }
}

double scale_of(const Tensor& x) {
  return 1 / (std::sqrt(static_cast<double>(x.size(2))) * static_cast<double>(x.size(1)));
}

// left leftᵀ in accumulate_type(): float16 cannot hold the squares. On a GPU short operands are
// multiplied as they are: their products are exact in float32. Elsewhere they are converted first.
Tensor gram_of(const Tensor& left) {
  const auto type = accumulate_type(left.scalar_type());
  const auto transposed = left.transpose(1, 2);
  if (left.is_cuda() && type != left.scalar_type()) return at::bmm(left, transposed, type);
  // PyTorch has no result without data for that product: its shape is that of the short one.
  if (left.is_meta()) {
    return at::empty_like(at::bmm(left, transposed), left.options().dtype(type));
  }
  const auto wide = left.to(type);
  return batch_product(wide, wide.transpose(1, 2));
}

bool merges(c10::string_view mode, const Tensor& x, const Tensor& weight) {
  WF_CHECK(
      mode == "auto" || mode == "factored" || mode == "merged",
      "[dynamic_linear] mode: expected auto, factored or merged (or reference, only from C++), "
      "got ",
      mode);
  if (mode != "auto") return mode == "merged";
  return dynamic_linear_merges(x.size(1), weight.size(0), weight.size(1));
}

// scale * a b, scaled before it is rounded to the dtype.
Tensor scaled_bmm(const Tensor& a, const Tensor& b, double scale) {
  const auto out = at::empty({a.size(0), a.size(1), b.size(2)}, a.options());
  return add_product_(out, a, b, /*beta=*/0, scale);
}

Tensor rows(const Tensor& x) { return x.reshape({x.size(0) * x.size(1), x.size(2)}); }

Triple forward(const Tensor& x, const Tensor& left, const Tensor& right, const Tensor& weight,
               const Tensor& bias, c10::string_view mode) {
  check_shapes("dynamic_linear", x, left, right, weight, bias);
  check_dtypes("dynamic_linear", x, {left, right, weight, bias});
  const double scale = scale_of(x);
  auto [gained, norm] = column_gain(gram_of(left), right, scale);
  const auto batch = x.size(0), tokens = x.size(1), d = weight.size(1);
  if (merges(mode, x, weight)) {
    const auto merged = add_batch_product(weight, left.transpose(1, 2), gained, scale);
    return {add_batch_product(bias, x, merged), gained, norm};
  }
  const auto y = linear_product(rows(x), weight.t(), bias).view({batch, tokens, d});
  add_product_(y, batch_product(x, left.transpose(1, 2)), gained, /*beta=*/1, scale);
  return {y, gained, norm};
}

Gradients backward(const Tensor& grad, const Tensor& x, const Tensor& left, const Tensor& right,
                   const Tensor& weight, const Tensor& gained, const Tensor& norm,
                   c10::string_view mode) {
  const NoAutocast no_autocast;
  const double scale = scale_of(x);
  const auto dy = grad.contiguous();
  Tensor grad_x, grad_left, grad_gained, grad_weight;
  if (merges(mode, x, weight)) {
    const auto per_sample = batch_product(x.transpose(1, 2), dy);  // [B, C, D]
    grad_weight = per_sample.sum(0);
    grad_gained = scaled_bmm(left, per_sample, scale);
    grad_left = scaled_bmm(gained, per_sample.transpose(1, 2), scale);
    const auto merged = add_batch_product(weight, left.transpose(1, 2), gained, scale);
    grad_x = batch_product(dy, merged.transpose(1, 2));
  } else {
    grad_weight = product(rows(x).t(), rows(dy));
    const auto seen = batch_product(x, left.transpose(1, 2));          // [B, N, R]
    const auto asked = scaled_bmm(dy, gained.transpose(1, 2), scale);  // [B, N, R]
    grad_gained = scaled_bmm(seen.transpose(1, 2), dy, scale);
    grad_left = batch_product(asked.transpose(1, 2), x);
    grad_x = product(rows(dy), weight.t()).view(x.sizes());
    add_product_(grad_x, asked, left, /*beta=*/1, /*alpha=*/1);
  }
  const auto gram = gram_of(left);
  auto [grad_gram, grad_right] = column_gain_backward(grad_gained, gram, right, norm, scale);
  // gram = left leftᵀ, and its gradient is symmetric.
  grad_left = grad_left +
              (batch_product(grad_gram, left.to(gram.scalar_type())) * 2).to(left.scalar_type());
  return {grad_x, grad_left, grad_right, grad_weight, rows(dy).sum(0)};
}

Triple meta(const Tensor& x, const Tensor& left, const Tensor& right, const Tensor& weight,
            const Tensor& bias, c10::string_view mode) {
  if (!has_symbols(x, left, right)) return forward(x, left, right, weight, bias, mode);
  const auto b = x.sym_size(0), d = weight.sym_size(1);
  return {meta_of(x, {b, x.sym_size(1), d}), meta_like(right),
          meta_of(x, {b, d}).to(accumulate_type(x.scalar_type()))};
}

Gradients backward_meta(const Tensor& grad, const Tensor& x, const Tensor& left,
                        const Tensor& right, const Tensor& weight, const Tensor& gained,
                        const Tensor& norm, c10::string_view mode) {
  if (!has_symbols(x, left, right)) {
    return backward(grad, x, left, right, weight, gained, norm, mode);
  }
  return {meta_like(x), meta_like(left), meta_like(right), meta_like(weight),
          meta_of(weight, {weight.sym_size(1)})};
}

Triple call(const Tensor& x, const Tensor& left, const Tensor& right, const Tensor& weight,
            const Tensor& bias, c10::string_view mode) {
  static const auto op = find_op<decltype(call)>("wf::dynamic_linear");
  return op.call(x, left, right, weight, bias, mode);
}

Gradients call_backward(const Tensor& grad, const Tensor& x, const Tensor& left,
                        const Tensor& right, const Tensor& weight, const Tensor& gained,
                        const Tensor& norm, c10::string_view mode) {
  static const auto op = find_op<decltype(backward)>("wf::dynamic_linear_backward");
  return op.call(grad, x, left, right, weight, gained, norm, mode);
}

struct Autograd : torch::autograd::Function<Autograd> {
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context,
                                                const Tensor& x, const Tensor& left,
                                                const Tensor& right, const Tensor& weight,
                                                const Tensor& bias, const std::string& mode) {
    const at::AutoDispatchBelowADInplaceOrView below;
    auto [y, gained, norm] = call(x, left, right, weight, bias, mode);
    context->save_for_backward({x, left, right, weight, gained, norm});
    context->saved_data["mode"] = mode;
    context->mark_non_differentiable({gained, norm});
    return {y, gained, norm};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    const auto saved = context->get_saved_variables();
    auto [x, left, right, weight, bias] =
        call_backward(grads[0], saved[0], saved[1], saved[2], saved[3], saved[4], saved[5],
                      context->saved_data["mode"].toStringRef());
    return {x, left, right, weight, bias, {}};
  }
};

Triple autograd(const Tensor& x, const Tensor& left, const Tensor& right, const Tensor& weight,
                const Tensor& bias, c10::string_view mode) {
  const auto out = Autograd::apply(x, left, right, weight, bias, std::string(mode));
  return {out[0], out[1], out[2]};
}

Gradients backward_autograd(const Tensor& grad, const Tensor& x, const Tensor& left,
                            const Tensor& right, const Tensor& weight, const Tensor& gained,
                            const Tensor& norm, c10::string_view mode) {
  return once_differentiable("dynamic_linear", {grad, x, left, right, weight, gained, norm}, [&] {
    return call_backward(grad, x, left, right, weight, gained, norm, mode);
  });
}

template <c10::DeviceType kDevice>
Triple autocast(const Tensor& x, const Tensor& left, const Tensor& right, const Tensor& weight,
                const Tensor& bias, c10::string_view mode) {
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(
      at::autocast::get_autocast_dispatch_key_from_device_type(kDevice));
  const auto cast = [](const Tensor& t) {
    return at::autocast::cached_cast(at::autocast::get_autocast_dtype(kDevice), t, kDevice);
  };
  return call(cast(x), cast(left), cast(right), cast(weight), cast(bias), mode);
}

}  // namespace

bool dynamic_linear_merges(int64_t tokens, int64_t in, int64_t out) {
  // Multiplications besides x weight: factored N R (C + D), merged R C D, where each takes a
  // quarter longer (measured, docs/performance.md).
  return 4 * tokens * (in + out) > 5 * in * out;
}

const std::vector<std::string>& dynamic_linear_modes() {
  static const std::vector<std::string> modes{"auto", "factored", "merged", "reference"};
  return modes;
}

Tensor dynamic_linear(const Tensor& x, const Tensor& left, const Tensor& right,
                      const Tensor& weight, const Tensor& bias, const std::string& mode) {
  if (mode == "reference") return reference::dynamic_linear(x, left, right, weight, bias);
  return std::get<0>(call(x, left, right, weight, bias, mode));
}

Tensor reference::dynamic_linear(const Tensor& x, const Tensor& left, const Tensor& right,
                                 const Tensor& weight, const Tensor& bias) {
  check_shapes("dynamic_linear", x, left, right, weight, bias);
  const auto predicted = at::matmul(left.transpose(1, 2), right) * scale_of(x);  // [B, C, D]
  const auto norm = at::linalg_vector_norm(predicted, 2, {1}, /*keepdim=*/true);
  return at::matmul(x, predicted / (norm + 1) + weight) + bias;
}

TORCH_LIBRARY_IMPL(wf, CompositeExplicitAutograd, m) {
  m.impl("dynamic_linear", &forward);
  m.impl("dynamic_linear_backward", &backward);
}
TORCH_LIBRARY_IMPL(wf, Meta, m) {
  m.impl("dynamic_linear", &meta);
  m.impl("dynamic_linear_backward", &backward_meta);
}
TORCH_LIBRARY_IMPL(wf, Autograd, m) {
  m.impl("dynamic_linear", &autograd);
  m.impl("dynamic_linear_backward", &backward_autograd);
}
TORCH_LIBRARY_IMPL(wf, AutocastCPU, m) {
  m.impl("dynamic_linear", &autocast<c10::DeviceType::CPU>);
}
TORCH_LIBRARY_IMPL(wf, AutocastCUDA, m) {
  m.impl("dynamic_linear", &autocast<c10::DeviceType::CUDA>);
}

}  // namespace wf
