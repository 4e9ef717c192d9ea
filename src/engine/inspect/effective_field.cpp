#include "engine/inspect/effective_field.h"

#include "weightformer/core/check.h"

#include "engine/eval_mode.h"

#include <torch/autograd.h>
#include <torch/types.h>

#include <algorithm>

namespace wf {
namespace {

// The central one or two of `count` places.
struct Middle {
  int64_t begin, size;
};

Middle middle_of(int64_t count) { return {(count - 1) / 2, 2 - count % 2}; }

// The patches of the central tokens along one side, and `reach` more.
Middle extent(int64_t pixels, int64_t patch, int64_t reach) {
  const int64_t count = pixels / patch;
  const auto middle = middle_of(count);
  const int64_t first = std::max<int64_t>(0, middle.begin - reach);
  const int64_t end = std::min(count, middle.begin + middle.size + reach);
  return {first * patch, (end - first) * patch};
}

}  // namespace

at::Tensor effective_field(WeightFormerImpl& model, const at::Tensor& images) {
  const EvalMode mode(model);
  const at::AutoGradMode gradients(true);
  const auto x = images.detach().clone().requires_grad_();
  const auto [tokens, grid] = model.tokens(x);
  const auto rows = middle_of(grid.height), columns = middle_of(grid.width);
  const auto center = tokens.unflatten(1, {grid.height, grid.width})
                          .narrow(1, rows.begin, rows.size)
                          .narrow(2, columns.begin, columns.size);
  const auto response = center.relu().sum() / static_cast<double>(rows.size * columns.size);
  const auto gradient = torch::autograd::grad({response}, {x})[0];
  return gradient.to(torch::kCPU, torch::kDouble).relu().mean(at::IntArrayRef{0, 1});
}

at::Tensor effective_field(WeightFormerImpl& model, const at::Tensor& images, int64_t batch) {
  const auto device = model.head->weight.device();
  auto sum = torch::zeros({images.size(2), images.size(3)}, torch::kDouble);
  for (const auto& part : images.split(batch)) {
    sum += effective_field(model, part.to(device)) * static_cast<double>(part.size(0));
  }
  return sum / static_cast<double>(images.size(0));
}

FieldBox static_field(const WeightFormerImpl& model, int64_t height, int64_t width) {
  const int64_t patch = model.options.patch_size(), reach = model.options.depth();
  const auto rows = extent(height, patch, reach), columns = extent(width, patch, reach);
  return {rows.begin, columns.begin, rows.size, columns.size};
}

double area_ratio(const at::Tensor& map, double part) {
  const int64_t height = map.size(0), width = map.size(1);
  const auto values = map.to(torch::kCPU, torch::kDouble);
  const double total = values.sum().item<double>();
  WF_CHECK(total > 0, "the receptive field is zero everywhere, so that it has no area");
  const auto rows = middle_of(height), columns = middle_of(width);
  for (int64_t margin = 0;; ++margin) {
    const int64_t top = std::max<int64_t>(0, rows.begin - margin);
    const int64_t left = std::max<int64_t>(0, columns.begin - margin);
    const int64_t tall = std::min(height, rows.begin + rows.size + margin) - top;
    const int64_t wide = std::min(width, columns.begin + columns.size + margin) - left;
    const bool all = tall == height && wide == width;
    const double held = values.narrow(0, top, tall).narrow(1, left, wide).sum().item<double>();
    if (!all && held < part * total) continue;
    return static_cast<double>(tall * wide) / static_cast<double>(height * width);
  }
}

}  // namespace wf
