#include "weightformer/models/dit.h"
#include "weightformer/models/model.h"

#include "bench.h"
#include "op_cases.h"

#include <fmt/format.h>
#include <torch/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <iostream>

namespace wf {
namespace {

// One layer of the model, with a square grid of tokens.
OpSize layer_size(const BenchOptions& o) {
  const auto size = [&](int64_t side, int64_t channels) {
    return OpSize{o.batch, {side, side}, channels};
  };
  if (model_kind(o.model) == ModelKind::diffusion) {
    const auto options = dit_options(o.model);
    return size((o.size ? o.size : options.latent_size()) / options.patch_size(), options.dim());
  }
  const auto model = create_classifier(o.model);
  return size((o.size ? o.size : model->image_size()) / 16,
              model->named_parameters()["norm.weight"].numel());
}

// Seconds of the forward pass, and of forward and backward with a gradient for every input.
struct Seconds {
  double forward, both;
};
Seconds time_op(const BenchOptions& o, const OpCase::Tensors& inputs, Grid grid,
                const OpCase::Function& op) {
  Seconds seconds{};
  {
    const torch::NoGradGuard no_grad;
    seconds.forward = time_steps(o, [&] { op(inputs, grid); }).median;
  }
  OpCase::Tensors leaves;
  for (const auto& t : inputs) leaves.push_back(t.detach().requires_grad_());
  const auto grad = torch::ones_like(op(leaves, grid));
  seconds.both =
      time_steps(o, [&] { torch::autograd::grad({op(leaves, grid)}, leaves, {grad}); }).median;
  return seconds;
}

// Minimum memory traffic: every input read, the output written.
double bytes_of(const OpCase::Tensors& inputs, const at::Tensor& output) {
  auto bytes = static_cast<double>(output.nbytes());
  for (const auto& t : inputs) bytes += static_cast<double>(t.nbytes());
  return bytes;
}

}  // namespace

void bench_ops(const BenchOptions& o) {
  const auto size = layer_size(o);
  const auto options = torch::dtype(o.type()).device(o.torch_device());
  for (const auto& c : op_cases()) {
    const auto inputs = c.make_inputs(size, options);
    const double bytes = bytes_of(inputs, c.op(inputs, size.grid));
    const auto ours = time_op(o, inputs, size.grid, c.op);
    const auto theirs = time_op(o, inputs, size.grid, c.reference);
    std::cout << fmt::format(
                     R"({{"op": "{}", "dtype": "{}", "device": "{}", "forward_us": {:.1f}, )"
                     R"("forward_gb_per_s": {:.2f}, "forward_ratio": {:.2f}, "both_us": {:.1f}, )"
                     R"("both_ratio": {:.2f}}})",
                     c.name, o.dtype, o.device, 1e6 * ours.forward, bytes / ours.forward / 1e9,
                     theirs.forward / ours.forward, 1e6 * ours.both, theirs.both / ours.both)
              << std::endl;
  }
}

}  // namespace wf
