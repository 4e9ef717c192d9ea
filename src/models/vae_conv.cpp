#include "models/vae_blocks.h"

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

bool channels_last_inference(const at::Tensor& x) {
  return !at::GradMode::is_enabled() && x.device().is_cpu() && x.scalar_type() == at::kFloat &&
         !at::autocast::is_autocast_enabled(at::kCPU);
}

VaeConvImpl::VaeConvImpl(int64_t in, int64_t out)
    : Conv2dImpl(torch::nn::Conv2dOptions(in, out, 3).padding(1)) {}

std::shared_ptr<VaeConvImpl> conv3(int64_t in, int64_t out) {
  return std::make_shared<VaeConvImpl>(in, out);
}

bool VaeConvImpl::fast(const at::Tensor& x) const {
  return channels_last_inference(x) && weight.scalar_type() == at::kFloat;
}

template <typename Weights>
const Weights& VaeConvImpl::prepared(Prepared<Weights>& kept, Weights (*make)(const at::Tensor&)) {
  const int64_t version = weight.is_inference() ? 0 : static_cast<int64_t>(weight._version());
  if (!kept.from.is_same(weight) || kept.version != version) {
    kept = {make(weight), weight, version};
  }
  return kept.weights;
}

at::Tensor VaeConvImpl::forward(const at::Tensor& x, const at::Tensor& residual) {
  const bool many = std::min(weight.size(0), weight.size(1)) >= kFewestChannels;
  if (many && fast(x)) {
    return winograd_conv3(x, prepared(winograd_, winograd_weights), bias, residual);
  }
  const auto y = Conv2dImpl::forward(fast(x) ? x.contiguous(at::MemoryFormat::ChannelsLast) : x);
  return residual.defined() ? y + residual : y;
}

at::Tensor VaeConvImpl::forward_doubled(const at::Tensor& x) {
  if (!fast(x)) return Conv2dImpl::forward(doubled(x));
  const int64_t batch = x.size(0), height = x.size(2), width = x.size(3), out = weight.size(0);
  // [B, height + 1, width + 1, 4 O]: the inputs around each corner between elements.
  const auto all = at::conv2d(x.contiguous(at::MemoryFormat::ChannelsLast),
                              prepared(doubled_, weights_for_doubled), bias.repeat({4}),
                              /*stride=*/1, /*padding=*/1)
                       .permute({0, 2, 3, 1});
  auto y = at::empty({batch, height, 2, width, 2, out}, x.options());
  for (int64_t place = 0; place < 4; ++place) {
    const int64_t below = place / 2, right = place % 2;
    y.select(2, below).select(3, right).copy_(
        all.narrow(3, place * out, out).narrow(1, below, height).narrow(2, right, width));
  }
  return y.view({batch, 2 * height, 2 * width, out}).permute({0, 3, 1, 2});
}

}  // namespace wf
