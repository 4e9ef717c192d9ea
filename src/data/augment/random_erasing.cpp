#include "data/augment/random_erasing.h"

#include <cmath>
#include <optional>

namespace wf {
namespace {

// Both values of Box and Muller's pairs, in float32: a large region needs 150,000 draws.
void fill_normal(std::vector<float>& out, CounterRng& rng) {
  constexpr float kTwoPi = 6.2831853f;
  const size_t count = out.size();
  for (size_t i = 0; i < count; i += 2) {
    const float radius = std::sqrt(-2 * std::log(static_cast<float>(1 - rng.uniform())));
    const float angle = kTwoPi * static_cast<float>(rng.uniform());
    out[i] = radius * std::cos(angle);
    if (i + 1 < count) out[i + 1] = radius * std::sin(angle);
  }
}

std::optional<Box> draw_box(int height, int width, int64_t parts, CounterRng& rng) {
  constexpr double kMinArea = 0.02, kMaxArea = 1.0 / 3, kMinAspect = 0.3;
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area =
        rng.uniform(kMinArea, kMaxArea) * height * width / static_cast<double>(parts);
    const double aspect = std::exp(rng.uniform(std::log(kMinAspect), -std::log(kMinAspect)));
    const int h = static_cast<int>(std::nearbyint(std::sqrt(area * aspect)));
    const int w = static_cast<int>(std::nearbyint(std::sqrt(area / aspect)));
    if (h >= height || w >= width) continue;
    const int top = static_cast<int>(rng.below(height - h + 1));
    const int left = static_cast<int>(rng.below(width - w + 1));
    return Box{top, left, h, w};
  }
  return std::nullopt;
}

}  // namespace

std::vector<ErasedPart> random_erasing(int height, int width, const RandomErasingOptions& options,
                                       CounterRng& rng) {
  std::vector<ErasedPart> out;
  if (options.probability <= 0 || rng.uniform() >= options.probability) return out;
  const int64_t parts = options.count > 1 ? 1 + rng.below(options.count) : 1;
  for (int64_t part = 0; part < parts; ++part) {
    const auto box = draw_box(height, width, parts, rng);
    if (!box) continue;
    const bool pixel = options.fill == ErasingFill::pixel;
    const size_t values = 3 * (pixel ? static_cast<size_t>(box->height) * box->width : 1);
    out.push_back({*box, std::vector<float>(values)});
    if (options.fill != ErasingFill::zero) fill_normal(out.back().values, rng);
  }
  return out;
}

}  // namespace wf
