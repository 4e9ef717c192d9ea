#include "optim/posthoc_ema.h"

#include "weightformer/core/check.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/dot.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>

namespace wf {
namespace {

// The integral over time of the product of two profiles, each (g + 1) t^g / T^(g + 1) on [0, T]
// and 0 after it.
double product(const EmaProfile& a, const EmaProfile& b) {
  const auto& early = a.step <= b.step ? a : b;
  const auto& late = a.step <= b.step ? b : a;
  return (a.exponent + 1) * (b.exponent + 1) / (a.exponent + b.exponent + 1) *
         std::pow(early.step / late.step, late.exponent) / late.step;
}

}  // namespace

PosthocFit fit_profile(const std::vector<EmaProfile>& snapshots, const EmaProfile& target) {
  WF_CHECK(!snapshots.empty(), "an EMA cannot be made of no snapshots");
  const auto count = static_cast<int64_t>(snapshots.size());
  // Every profile is divided by its norm, which makes the matrix independent of the number of
  // steps.
  const double size = std::sqrt(product(target, target));
  std::vector<double> sizes;
  for (const auto& one : snapshots) sizes.push_back(std::sqrt(product(one, one)));
  auto matrix = at::empty({count, count}, at::kDouble), right = at::empty({count}, at::kDouble);
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t j = 0; j < count; ++j) {
      matrix.data_ptr<double>()[i * count + j] =
          product(snapshots[i], snapshots[j]) / (sizes[i] * sizes[j]);
    }
    right.data_ptr<double>()[i] = product(snapshots[i], target) / (sizes[i] * size);
  }
  // Profiles of neighbors are nearly parallel. Directions in which the matrix vanishes but for
  // rounding are left out: they would add large weights of opposite sign.
  constexpr double kRounding = 1e-13;
  const auto [values, vectors] = at::linalg_eigh(matrix);
  const auto kept = values > kRounding * values.max();
  const auto inverse = at::where(kept, 1 / values, at::zeros_like(values));
  const auto solution = vectors.mv(vectors.t().mv(right) * inverse);
  const double rest =
      1 - 2 * solution.dot(right).item<double>() + solution.dot(matrix.mv(solution)).item<double>();
  PosthocFit fit;
  fit.error = std::sqrt(std::max(rest, 0.0));
  for (int64_t i = 0; i < count; ++i) {
    fit.weights.push_back(solution.data_ptr<double>()[i] * size / sizes[i]);
  }
  return fit;
}

}  // namespace wf
