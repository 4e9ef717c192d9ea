#include "diffusion/guidance.h"

#include "weightformer/core/check.h"

#include <torch/types.h>

#include <algorithm>
#include <utility>

namespace wf {
namespace {

constexpr int64_t kPublishedChannels = 3;

}  // namespace

Denoiser guided(Denoiser denoise, const GuidanceOptions& options) {
  WF_CHECK(options.low <= options.high, "the interval of guidance is from ", options.low, " to ",
           options.high, ": expected low <= high");
  if (options.scale == 1) return denoise;
  return [denoise = std::move(denoise), options](const at::Tensor& x, const at::Tensor& t,
                                                 const at::Tensor& labels) {
    // All samples have the same time, so the first decides.
    const bool everywhere = options.low <= 0 && options.high >= 1;
    if (!everywhere) {
      const double at = t[0].item<double>() / options.noise_time;
      if (at < options.low || at > options.high) return denoise(x, t, labels);
    }
    const auto none = torch::full_like(labels, options.null_class);
    const auto output = denoise(torch::cat({x, x}), torch::cat({t, t}), torch::cat({labels, none}));
    const auto halves = output.chunk(2);
    const int64_t channels = options.channels == GuidedChannels::three
                                 ? std::min(kPublishedChannels, options.data_channels)
                                 : options.data_channels;
    const auto with = halves[0].narrow(1, 0, channels), without = halves[1].narrow(1, 0, channels);
    return torch::cat({without + options.scale * (with - without), halves[0].slice(1, channels)},
                      1);
  };
}

}  // namespace wf
