#include "op_cases.h"

#include "weightformer/ops/column_gain.h"
#include "weightformer/ops/dynamic_dwconv.h"
#include "weightformer/ops/dynamic_linear.h"
#include "weightformer/ops/grid_pool3.h"
#include "weightformer/ops/token_pool.h"

#include <torch/types.h>

namespace wf {
namespace {

using Tensors = OpCase::Tensors;
using Function = OpCase::Function;

Tensors tokens(const OpSize& size, at::TensorOptions options) {
  return {torch::randn({size.batch, size.grid.tokens(), size.channels}, options)};
}
Function on_tokens(at::Tensor (*function)(const at::Tensor&, Grid)) {
  return [=](const Tensors& t, Grid grid) { return function(t[0], grid); };
}

// x, left, right, weight, bias of a layer with about four times as many outputs as inputs: an odd
// number where C is odd.
Tensors linear(const OpSize& size, at::TensorOptions options) {
  const auto [b, grid, c] = size;
  const int64_t pooled = (grid.height / 2) * (grid.width / 2), d = 4 * c + c % 2;
  return {torch::randn({b, grid.tokens(), c}, options), torch::randn({b, pooled, c}, options),
          torch::randn({b, pooled, d}, options), torch::randn({c, d}, options),
          torch::randn({d}, options)};
}
Function in_mode(const char* mode) {
  return [=](const Tensors& t, Grid) { return dynamic_linear(t[0], t[1], t[2], t[3], t[4], mode); };
}

// right and left, both positive: the norms of columns whose products cancel are lost in any Gram
// matrix. The function computes the Gram matrix of left for the operator, since the gradient relies
// on positive semidefinite matrices.
Tensors gain(const OpSize& size, at::TensorOptions options) {
  const auto t = linear(size, options);
  return {t[2].abs() + 0.1, t[1].abs() + 0.1};
}
Function gain_of(decltype(&column_gain) function) {
  constexpr double kScale = 0.3;  // any value has the same cost; norms are near 1 with this one
  return [=](const Tensors& t, Grid) {
    const auto left = t[1].to(t[1].scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
    return std::get<0>(function(at::matmul(left, left.transpose(-2, -1)), t[0], kScale));
  };
}

// The first `count` of x, weight, bias, kernel, shift, scale, gate: 3, 4 or all 7. The kernel has
// the fastest memory layout, [B, 3, 3, C].
auto dwconv(size_t count) {
  return [=](const OpSize& size, at::TensorOptions options) {
    const int64_t b = size.batch, c = size.channels;
    const auto per_sample = [&] { return torch::randn({b, c}, options); };
    Tensors t{torch::randn({b, size.grid.tokens(), c}, options),
              torch::randn({c, 1, 3, 3}, options),
              torch::randn({c}, options),
              torch::randn({b, 9, c}, options).transpose(1, 2).unflatten(2, {3, 3}),
              per_sample(),
              per_sample(),
              per_sample()};
    t.resize(count);
    return t;
  };
}
Function convolved_by(decltype(&dynamic_dwconv) function) {
  return [=](const Tensors& t, Grid grid) {
    DwconvOptions around;
    if (t.size() > 4) around = {t[4], t[5], t[6]};
    around.residual = true;
    const auto kernel = t.size() > 3 ? std::optional(t[3]) : std::nullopt;
    return function(t[0], grid, kernel, t[1], t[2], around);
  };
}

}  // namespace

const std::vector<OpCase>& op_cases() {
  const auto ours = convolved_by(&dynamic_dwconv), plain = convolved_by(&reference::dynamic_dwconv);
  const auto published = in_mode("reference");
  static const auto cases = with_norm_cases(
      {{"token_pool", on_tokens(&token_pool), on_tokens(&reference::token_pool), tokens},
       {"grid_pool3", on_tokens(&grid_pool3), on_tokens(&reference::grid_pool3), tokens},
       {"column_gain", gain_of(&column_gain), gain_of(&reference::column_gain), gain, 3},
       {"dynamic_dwconv", ours, plain, dwconv(4), 2},
       {"dynamic_dwconv, static kernel", ours, plain, dwconv(3), 2},
       {"dynamic_dwconv, modulated", ours, plain, dwconv(7), 2},  // as in the DiT variant
       {"dynamic_linear, factored", in_mode("factored"), published, linear, 3},
       {"dynamic_linear, merged", in_mode("merged"), published, linear, 3}});
  return cases;
}

}  // namespace wf
