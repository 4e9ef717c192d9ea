#include "weightformer/models/dit.h"
#include "weightformer/models/model.h"
#include "weightformer/ops/column_gain.h"
#include "weightformer/ops/dynamic_dwconv.h"
#include "weightformer/ops/dynamic_linear.h"
#include "weightformer/ops/grid_pool3.h"
#include "weightformer/ops/token_pool.h"

#include "bench.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <functional>
#include <iostream>

namespace wf {
namespace {

using Tensors = std::vector<at::Tensor>;
using Op = std::function<at::Tensor(const Tensors&)>;

// Forward alone and forward with backward; a gradient for every input.
void compare(const BenchOptions& o, const std::string& name, const Tensors& inputs, const Op& op,
             const Op& reference) {
  const auto forward = [&](const Op& f) {
    const torch::NoGradGuard no_grad;
    return time_steps(o, [&] { f(inputs); }).median;
  };
  const auto both = [&](const Op& f) {
    Tensors leaves;
    for (const auto& t : inputs) leaves.push_back(t.detach().requires_grad_());
    const auto grad = torch::ones_like(f(leaves));
    return time_steps(o, [&] { torch::autograd::grad({f(leaves)}, leaves, {grad}); }).median;
  };
  // What must be moved at least: every input read, the output written.
  double bytes = 0;
  for (const auto& t : inputs) bytes += static_cast<double>(t.nbytes());
  {
    const torch::NoGradGuard no_grad;
    bytes += static_cast<double>(op(inputs).nbytes());
  }
  const double ours = forward(op), theirs = forward(reference);
  const double ours_both = both(op), theirs_both = both(reference);
  std::cout << fmt::format(
                   R"({{"op": "{}", "dtype": "{}", "device": "{}", "forward_us": {:.1f}, )"
                   R"("forward_gb_per_s": {:.2f}, "forward_ratio": {:.2f}, "both_us": {:.1f}, )"
                   R"("both_ratio": {:.2f}}})",
                   name, o.dtype, o.device, 1e6 * ours, bytes / ours / 1e9, theirs / ours,
                   1e6 * ours_both, theirs_both / ours_both)
            << std::endl;
}

struct LayerShape {
  int64_t channels, side;  // of a square grid
};

LayerShape layer_shape(const BenchOptions& o) {
  if (model_kind(o.model) == ModelKind::diffusion) {
    const auto options = dit_options(o.model);
    return {options.dim(), (o.size ? o.size : options.latent_size()) / options.patch_size()};
  }
  const auto model = create_classifier(o.model);
  return {model->named_parameters()["norm.weight"].numel(),
          (o.size ? o.size : model->image_size()) / 16};
}

}  // namespace

void bench_ops(const BenchOptions& o) {
  // One layer of the model: C channels, D = 4C, a square grid of tokens.
  const auto [c, side] = layer_shape(o);
  const int64_t d = 4 * c, n = side * side, b = o.batch, r = (side / 2) * (side / 2);
  const Grid grid{side, side};
  const auto random = [&](at::IntArrayRef shape) {
    return torch::randn(shape, torch::dtype(o.type()).device(o.torch_device()));
  };
  const auto x = random({b, n, c});
  compare(
      o, "token_pool", {x}, [&](const Tensors& t) { return token_pool(t[0], grid); },
      [&](const Tensors& t) { return reference::token_pool(t[0], grid); });
  compare(
      o, "grid_pool3", {x}, [&](const Tensors& t) { return grid_pool3(t[0], grid); },
      [&](const Tensors& t) { return reference::grid_pool3(t[0], grid); });

  const auto left = random({b, r, c}), right = random({b, r, d});
  const auto wide = left.to(o.dtype == "float64" ? at::kDouble : at::kFloat);
  const double scale = 1 / (std::sqrt(static_cast<double>(c)) * static_cast<double>(n));
  compare(
      o, "column_gain", {at::bmm(wide, wide.transpose(1, 2)), right},
      [&](const Tensors& t) { return std::get<0>(column_gain(t[0], t[1], scale)); },
      [&](const Tensors& t) { return std::get<0>(reference::column_gain(t[0], t[1], scale)); });

  DwconvOptions around;
  around.residual = true;
  const auto kernel = random({b, 9, c}).transpose(1, 2).unflatten(2, {3, 3});
  const auto taps = random({c, 1, 3, 3}), bias = random({c});
  compare(
      o, "dynamic_dwconv", {x, kernel, taps, bias},
      [&](const Tensors& t) { return dynamic_dwconv(t[0], grid, t[1], t[2], t[3], around); },
      [&](const Tensors& t) {
        return reference::dynamic_dwconv(t[0], grid, t[1], t[2], t[3], around);
      });
  compare(
      o, "dynamic_dwconv, static kernel", {x, taps, bias},
      [&](const Tensors& t) {
        return dynamic_dwconv(t[0], grid, std::nullopt, t[1], t[2], around);
      },
      [&](const Tensors& t) {
        return reference::dynamic_dwconv(t[0], grid, std::nullopt, t[1], t[2], around);
      });

  // As in the DiT variant.
  const auto shift = random({b, c}), scales = random({b, c}), gate = random({b, c});
  const auto modulated = [](const Tensors& t) { return DwconvOptions{t[4], t[5], t[6], true}; };
  compare(
      o, "dynamic_dwconv, modulated", {x, kernel, taps, bias, shift, scales, gate},
      [&](const Tensors& t) { return dynamic_dwconv(t[0], grid, t[1], t[2], t[3], modulated(t)); },
      [&](const Tensors& t) {
        return reference::dynamic_dwconv(t[0], grid, t[1], t[2], t[3], modulated(t));
      });

  const Tensors linear{x, left, right, random({c, d}), random({d})};
  for (const std::string mode : {"factored", "merged"}) {
    compare(
        o, "dynamic_linear, " + mode, linear,
        [&](const Tensors& t) { return dynamic_linear(t[0], t[1], t[2], t[3], t[4], mode); },
        [&](const Tensors& t) { return reference::dynamic_linear(t[0], t[1], t[2], t[3], t[4]); });
  }
}

}  // namespace wf
