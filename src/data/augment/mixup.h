#pragma once

#include "weightformer/config/enums.h"
#include "weightformer/core/random.h"

#include "data/image/resize.h"

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace wf {

struct MixupOptions {
  double mixup_alpha = 0.8;   ///< 0: no mixup
  double cutmix_alpha = 1.0;  ///< 0: no cutmix
  /// Range of the box's sides instead of cutmix_alpha, as fractions of the image's.
  std::optional<std::array<double, 2>> cutmix_minmax;
  double probability = 1;           ///< of either
  double switch_probability = 0.5;  ///< of cutmix when both are on
  MixupMode mode = MixupMode::batch;
  double label_smoothing = 0.1;
  int64_t num_classes = 1000;
};

/// The mix of one image: lambda of itself, the rest of its partner.
struct Mix {
  float lambda = 1;  ///< 1: no mix
  bool cut = false;  ///< CutMix: the partner's pixels inside `box`; otherwise mixup
  Box box;
};

/// Mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019) with timm's semantics: the partner of
/// image i is B - 1 - i, lambda is Beta(alpha, alpha), and after CutMix it is the remaining
/// fraction of the image. The middle of an odd batch is its own partner.
class Mixup {
 public:
  /// Throws wf::Error when both are disabled or a setting is out of range.
  explicit Mixup(const MixupOptions& options);

  /// Mixes `images` in place ([B, 3, H, W] float, on any device) and gives the targets,
  /// [B, num_classes] float32 on that device, rows summing to 1. labels: [B] int64, on the same
  /// device. Draws come only from `rng`, on the host; nothing synchronizes with the device.
  at::Tensor operator()(at::Tensor& images, const at::Tensor& labels, CounterRng rng) const;

  /// The draws of a batch: one Mix in MixupMode::batch, otherwise one for each image.
  std::vector<Mix> plan(int64_t batch, int height, int width, CounterRng& rng) const;

 private:
  Mix draw(int height, int width, CounterRng& rng) const;
  at::Tensor targets(const at::Tensor& labels, const std::vector<Mix>& mixes) const;

  MixupOptions options_;
};

}  // namespace wf
