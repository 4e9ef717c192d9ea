#include "metrics/frechet_distance.h"

#include "weightformer/core/check.h"

#include <torch/types.h>

#include <limits>

namespace wf {
namespace {

// Of eigenvalues, relative to the largest: below, an eigenvalue is rounding error of 0, as in
// numpy.linalg.matrix_rank. Its root would count where the matrix has no rank.
double rounding(int64_t dim) {
  return static_cast<double>(dim) * std::numeric_limits<double>::epsilon();
}

// What a file's covariance, stored in float32, may differ from a symmetric matrix without negative
// eigenvalues, relative to its largest element.
constexpr double kStoredRounding = 1e-5;

void require_valid(const FeatureStatistics& s) {
  const auto d = s.dim();
  WF_CHECK(s.mean.dim() == 1 && s.covariance.sizes() == at::IntArrayRef({d, d}),
           "Fréchet distance: expected a mean [D] and a covariance [D, D], got ", s.mean.sizes(),
           " and ", s.covariance.sizes());
  WF_CHECK(s.mean.isfinite().all().item<bool>() && s.covariance.isfinite().all().item<bool>(),
           "Fréchet distance: mean or covariance is not finite");
  const double size = s.covariance.abs().max().item<double>();
  const double skew = (s.covariance - s.covariance.t()).abs().max().item<double>();
  WF_CHECK(skew <= kStoredRounding * size, "Fréchet distance: a covariance is symmetric, and this ",
           "one differs from its transpose by ", skew);
}

// A [D, rank] with A Aᵀ = `covariance`.
at::Tensor factor(const at::Tensor& covariance) {
  const auto [values, vectors] = at::linalg_eigh((covariance + covariance.t()) / 2);
  const double largest = values.abs().max().item<double>();
  WF_CHECK(values.min().item<double>() >= -kStoredRounding * largest,
           "Fréchet distance: a covariance has no eigenvalue below 0, and this one has ",
           values.min().item<double>());
  const auto rank = (values > rounding(values.numel()) * largest).sum().item<int64_t>();
  const auto first = values.numel() - rank;  // they are in ascending order
  return vectors.narrow(1, first, rank) * values.narrow(0, first, rank).sqrt();
}

// A side of a comparison. Its eigendecomposition is most of the cost of a distance.
struct Gaussian {
  explicit Gaussian(const FeatureStatistics& of) : statistics(of) {
    require_valid(of);
    root = factor(of.covariance);
  }
  FeatureStatistics statistics;
  at::Tensor root;
};

double distance(const Gaussian& a, const Gaussian& b) {
  const auto &x = a.statistics, &y = b.statistics;
  WF_CHECK(x.dim() == y.dim(), "Fréchet distance: ", x.dim(), " features against ", y.dim(),
           "; are both of the same network and layer?");
  const auto product = a.root.t().mm(b.root);
  const double roots = product.numel() ? at::linalg_svdvals(product).sum().item<double>() : 0;
  const double traces = (x.covariance.trace() + y.covariance.trace()).item<double>();
  return (x.mean - y.mean).square().sum().item<double>() + traces - 2 * roots;
}

}  // namespace

double frechet_distance(const FeatureStatistics& a, const FeatureStatistics& b) {
  return distance(Gaussian(a), Gaussian(b));
}

FrechetByCount frechet_by_count(const FeatureSums& first, const FeatureSums& second,
                                const FeatureStatistics& reference) {
  FeatureSums total(first.dim());
  total.add(first);
  total.add(second);
  const Gaussian to(reference);
  const auto from = [&](const FeatureSums& sums) {
    return distance(Gaussian(sums.statistics()), to);
  };
  return {from(total), (from(first) + from(second)) / 2};
}

}  // namespace wf
