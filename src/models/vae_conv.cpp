#include "models/vae_blocks.h"
#include "nn/winograd.h"

#include <ATen/autocast_mode.h>
#include <torch/types.h>

#include <algorithm>
#include <vector>

namespace wf {
namespace {

// Below, the sums around the products cost more than the products save.
constexpr int64_t kFewestChannels = 32;

// [O, I, 3, 3] → [4 O, I, 2, 2] for the inputs at y - 1 + a and x - 1 + b: of the outputs at
// (2 y, 2 x), (2 y, 2 x + 1), (2 y + 1, 2 x), (2 y + 1, 2 x + 1). Of three weights in a row, the
// doubled inputs under two of them are equal.
at::Tensor weights_for_doubled(const at::Tensor& weight) {
  const at::NoGradGuard no_grad;
  const auto w = weight.detach().to(torch::kDouble);
  const auto sums = [](const at::Tensor& all, int64_t dim, bool second) {
    const auto at = [&](int64_t i) { return all.narrow(dim, i, 1); };
    return second ? torch::cat({at(0) + at(1), at(2)}, dim)
                  : torch::cat({at(0), at(1) + at(2)}, dim);
  };
  std::vector<at::Tensor> places;
  for (const bool below : {false, true}) {
    for (const bool right : {false, true}) places.push_back(sums(sums(w, 2, below), 3, right));
  }
  return torch::cat(places).to(weight.scalar_type()).contiguous();
}

}  // namespace

VaeConvImpl::VaeConvImpl(int64_t in, int64_t out)
    : Conv2dImpl(torch::nn::Conv2dOptions(in, out, 3).padding(1)) {}

std::shared_ptr<VaeConvImpl> conv3(int64_t in, int64_t out) {
  return std::make_shared<VaeConvImpl>(in, out);
}

bool VaeConvImpl::fast(const at::Tensor& x) const {
  return !at::GradMode::is_enabled() && x.device().is_cpu() && x.scalar_type() == at::kFloat &&
         weight.scalar_type() == at::kFloat && !at::autocast::is_autocast_enabled(at::kCPU);
}

const at::Tensor& VaeConvImpl::prepared(Prepared& kept, at::Tensor (*make)(const at::Tensor&)) {
  const int64_t version = weight.is_inference() ? 0 : static_cast<int64_t>(weight._version());
  if (!kept.from.is_same(weight) || kept.version != version) {
    kept = {make(weight), weight, version};
  }
  return kept.weights;
}

at::Tensor VaeConvImpl::forward(const at::Tensor& x) {
  const bool many = std::min(weight.size(0), weight.size(1)) >= kFewestChannels;
  if (!many || !fast(x)) return Conv2dImpl::forward(x);
  return winograd_conv3(x, prepared(winograd_, winograd_weights), bias);
}

at::Tensor VaeConvImpl::forward_doubled(const at::Tensor& x) {
  if (!fast(x)) return Conv2dImpl::forward(doubled(x));
  const int64_t batch = x.size(0), height = x.size(2), width = x.size(3), out = weight.size(0);
  // [B, 4 O, height + 1, width + 1]: the inputs around each corner between elements.
  const auto all = at::conv2d(x, prepared(doubled_, weights_for_doubled), bias.repeat({4}),
                              /*stride=*/1, /*padding=*/1);
  auto y = at::empty({batch, out, height, 2, width, 2}, x.options());
  for (int64_t place = 0; place < 4; ++place) {
    const int64_t below = place / 2, right = place % 2;
    y.select(3, below).select(4, right).copy_(
        all.narrow(1, place * out, out).narrow(2, below, height).narrow(3, right, width));
  }
  return y.view({batch, out, 2 * height, 2 * width});
}

}  // namespace wf
