#include "data/augment/mixup.h"

#include "weightformer/core/check.h"

#include "core/distributions.h"
#include "core/parallel.h"
#include "data/augment/soft_targets.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>

namespace wf {
namespace {

// A box with an area of 1 - lambda of the image, before clipping at the border.
Box cut_around_a_point(int height, int width, double lambda, CounterRng& rng) {
  const double ratio = std::sqrt(1 - lambda);
  const int h = static_cast<int>(height * ratio), w = static_cast<int>(width * ratio);
  const int y = static_cast<int>(rng.below(height)), x = static_cast<int>(rng.below(width));
  const int top = std::max(0, y - h / 2), bottom = std::min(height, y + (h + 1) / 2);
  const int left = std::max(0, x - w / 2), right = std::min(width, x + (w + 1) / 2);
  return {top, left, bottom - top, right - left};
}

Box cut_within(int height, int width, const std::array<double, 2>& range, CounterRng& rng) {
  const auto side = [&](int full) {  // as NumPy's randint: the upper end is excluded
    const int low = static_cast<int>(full * range[0]), high = static_cast<int>(full * range[1]);
    return low + static_cast<int>(rng.below(std::max(1, high - low)));
  };
  const int h = side(height), w = side(width);
  const int top = static_cast<int>(rng.below(height - h + 1));
  const int left = static_cast<int>(rng.below(width - w + 1));
  return {top, left, h, w};
}

at::Tensor inside(const at::Tensor& images, const Box& box) {
  return images.narrow(-2, box.top, box.height).narrow(-1, box.left, box.width);
}

bool moves(const Mix& mix) { return mix.lambda != 1 && (!mix.cut || mix.box.height > 0); }

// A float for each image, on the device of `like`, without synchronization.
at::Tensor column(const std::vector<float>& values, const at::Tensor& like) {
  const auto options = torch::dtype(torch::kFloat).pinned_memory(like.is_cuda());
  auto host = torch::empty({static_cast<int64_t>(values.size())}, options);
  std::copy(values.begin(), values.end(), host.data_ptr<float>());
  return host.to(like.device(), /*non_blocking=*/true);
}

// Blends each image with its partner in one pass over the memory, without a copy.
void lay_over_on_cpu(at::Tensor& images, float lambda) {
  const int64_t count = images.size(0), size = images.stride(0);
  float* data = images.data_ptr<float>();
  at::parallel_for(0, count / 2, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float *a = data + i * size, *b = data + (count - 1 - i) * size;
      for (int64_t k = 0; k < size; ++k) {
        const float x = a[k], y = b[k];
        a[k] = lambda * x + (1 - lambda) * y;
        b[k] = lambda * y + (1 - lambda) * x;
      }
    }
  });
}

void mix_batch(at::Tensor& images, const Mix& mix) {
  if (!moves(mix)) return;
  if (mix.cut) {
    auto part = inside(images, mix.box);
    part.copy_(part.flip(0));
    return;
  }
  if (images.is_cpu() && images.scalar_type() == at::kFloat && images.is_contiguous()) {
    return lay_over_on_cpu(images, mix.lambda);
  }
  const auto partners = images.flip(0);
  images.mul_(mix.lambda).add_(partners, 1.0 - mix.lambda);
}

void mix_each(at::Tensor& images, const std::vector<Mix>& mixes) {
  std::vector<float> own;
  bool any = false, any_over = false;
  for (const auto& mix : mixes) {
    own.push_back(mix.cut ? 1 : mix.lambda);
    any_over = any_over || own.back() != 1;
    any = any || moves(mix);
  }
  if (!any) return;
  const auto partners = images.flip(0);
  if (any_over) {
    const auto weight = column(own, images).to(images.scalar_type()).view({-1, 1, 1, 1});
    images.mul_(weight).addcmul_(partners, 1 - weight);
  }
  for (size_t i = 0; i < mixes.size(); ++i) {
    if (!mixes[i].cut || !moves(mixes[i])) continue;
    const auto image = static_cast<int64_t>(i);
    inside(images.select(0, image), mixes[i].box)
        .copy_(inside(partners.select(0, image), mixes[i].box));
  }
}

}  // namespace

Mixup::Mixup(const MixupOptions& options) : options_(options) {
  WF_CHECK(options.num_classes > 0, "mixup: the number of classes must be positive");
  WF_CHECK(options.mixup_alpha >= 0 && options.cutmix_alpha >= 0,
           "mixup: AUG.MIXUP and AUG.CUTMIX must not be negative");
  if (options_.cutmix_minmax) {
    const auto& [low, high] = *options_.cutmix_minmax;
    WF_CHECK(0 <= low && low <= high && high <= 1,
             "mixup: AUG.CUTMIX_MINMAX must be two increasing fractions of the side, got ", low,
             ", ", high);
    options_.cutmix_alpha = 1;
  }
  WF_CHECK(options_.mixup_alpha > 0 || options_.cutmix_alpha > 0,
           "mixup: both AUG.MIXUP and AUG.CUTMIX are 0");
}

Mix Mixup::draw(int height, int width, CounterRng& rng) const {
  Mix mix;
  if (rng.uniform() >= options_.probability) return mix;
  const bool both = options_.mixup_alpha > 0 && options_.cutmix_alpha > 0;
  mix.cut = both ? rng.uniform() < options_.switch_probability : options_.cutmix_alpha > 0;
  const double alpha = mix.cut ? options_.cutmix_alpha : options_.mixup_alpha;
  const double lambda = beta(alpha, alpha, rng);
  mix.lambda = static_cast<float>(lambda);
  if (!mix.cut) return mix;
  mix.box = options_.cutmix_minmax ? cut_within(height, width, *options_.cutmix_minmax, rng)
                                   : cut_around_a_point(height, width, lambda, rng);
  mix.lambda = static_cast<float>(1 - static_cast<double>(mix.box.height) * mix.box.width /
                                          (static_cast<double>(height) * width));
  return mix;
}

std::vector<Mix> Mixup::plan(int64_t batch, int height, int width, CounterRng& rng) const {
  std::vector<Mix> mixes;
  if (options_.mode == MixupMode::batch) return {draw(height, width, rng)};
  mixes.resize(batch);
  if (options_.mode == MixupMode::elem) {
    for (auto& mix : mixes) mix = draw(height, width, rng);
    return mixes;
  }
  for (int64_t i = 0; i < batch / 2; ++i) {
    mixes[i] = mixes[batch - 1 - i] = draw(height, width, rng);
  }
  return mixes;
}

at::Tensor Mixup::operator()(at::Tensor& images, const at::Tensor& labels, CounterRng rng) const {
  WF_CHECK(images.dim() == 4 && labels.dim() == 1 && labels.size(0) == images.size(0),
           "mixup: expected images [B, C, H, W] and labels [B], got ", images.sizes(), " and ",
           labels.sizes());
  const torch::NoGradGuard no_grad;
  const auto mixes =
      plan(images.size(0), static_cast<int>(images.size(2)), static_cast<int>(images.size(3)), rng);
  if (options_.mode == MixupMode::batch) {
    mix_batch(images, mixes[0]);
  } else {
    mix_each(images, mixes);
  }
  return targets(labels, mixes);
}

at::Tensor Mixup::targets(const at::Tensor& labels, const std::vector<Mix>& mixes) const {
  auto own = smoothed_one_hot(labels, options_.num_classes, options_.label_smoothing);
  const auto partners = own.flip(0);
  if (options_.mode == MixupMode::batch) {
    return own.mul_(mixes[0].lambda).add_(partners, 1.0 - mixes[0].lambda);
  }
  std::vector<float> lambdas;
  for (const auto& mix : mixes) lambdas.push_back(mix.lambda);
  const auto lambda = column(lambdas, labels).unsqueeze(1);
  return own.mul_(lambda).addcmul_(partners, 1 - lambda);
}

}  // namespace wf
