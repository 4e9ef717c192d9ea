#include "metrics/kernel_distance.h"

#include "weightformer/core/check.h"
#include "weightformer/core/random.h"

#include <torch/types.h>

#include <algorithm>

namespace wf {
namespace {

constexpr uint64_t kSubsets = 0x737562736574;  // stream of the subsets

at::Tensor kernel(const at::Tensor& x, const at::Tensor& y) {
  return (x.mm(y.t()) / static_cast<double>(x.size(1)) + 1).pow(3);
}

// The mean over pairs of different rows.
at::Tensor off_diagonal_mean(const at::Tensor& x) {
  const auto values = kernel(x, x);
  const auto n = static_cast<double>(x.size(0));
  return (values.sum() - values.trace()) / (n * (n - 1));
}

void require_comparable(const at::Tensor& x, const at::Tensor& y) {
  WF_CHECK(
      x.dim() == 2 && y.dim() == 2 && x.size(1) == y.size(1) && x.size(0) >= 2 && y.size(0) >= 2,
      "kernel distance: expected [M, D] and [N, D] with two rows or more, got ", x.sizes(), " and ",
      y.sizes());
}

at::Tensor subset(const at::Tensor& rows, int64_t size, CounterRng rng) {
  auto order = permutation(rows.size(0), rng);
  order.resize(static_cast<size_t>(size));
  return rows.index_select(0, torch::tensor(order, torch::kLong).to(rows.device()));
}

}  // namespace

double polynomial_mmd2(const at::Tensor& x, const at::Tensor& y) {
  require_comparable(x, y);
  const auto a = x.to(torch::kDouble), b = y.to(torch::kDouble);
  return (off_diagonal_mean(a) + off_diagonal_mean(b) - 2 * kernel(a, b).mean()).item<double>();
}

KernelDistance kernel_distance(const at::Tensor& x, const at::Tensor& y,
                               const KernelDistanceOptions& options) {
  require_comparable(x, y);
  WF_CHECK(options.subsets > 0 && options.subset_size >= 2,
           "kernel distance: expected subsets of 2 or more, got ", options.subsets, " subsets of ",
           options.subset_size);
  const auto size = std::min({options.subset_size, x.size(0), y.size(0)});
  std::vector<double> found;
  for (int64_t i = 0; i < options.subsets; ++i) {
    const auto key = [&](uint64_t side) {
      return CounterRng{options.seed, kSubsets, static_cast<uint64_t>(i), side};
    };
    found.push_back(polynomial_mmd2(subset(x, size, key(0)), subset(y, size, key(1))));
  }
  const auto values = torch::tensor(found, torch::kDouble);
  return {values.mean().item<double>(), values.std(/*unbiased=*/false).item<double>()};
}

}  // namespace wf
