#include "metrics/feature_statistics.h"

#include "weightformer/core/check.h"

#include <torch/types.h>
#include <torch/utils.h>

namespace wf {

FeatureSums::FeatureSums(int64_t dim)
    : dim_(dim), data_(torch::zeros({1 + dim + dim * dim}, torch::kDouble)) {}

at::Tensor FeatureSums::vector_sum() const { return data_.narrow(0, 1, dim_); }

at::Tensor FeatureSums::product_sum() const {
  return data_.narrow(0, 1 + dim_, dim_ * dim_).view({dim_, dim_});
}

int64_t FeatureSums::count() const { return static_cast<int64_t>(data_[0].item<double>()); }

void FeatureSums::add(const at::Tensor& features) {
  WF_CHECK(features.dim() == 2 && features.size(1) == dim_, "features: expected [N, ", dim_,
           "], got ", features.sizes());
  const at::NoGradGuard no_grad;
  const auto x = features.to(torch::kCPU, torch::kDouble);
  WF_CHECK(x.isfinite().all().item<bool>(),
           "features: some are not finite; are the weights damaged, or of another network?");
  data_[0] += x.size(0);
  vector_sum() += x.sum(0);
  auto products = product_sum();
  products.addmm_(x.t(), x);
}

void FeatureSums::add(const FeatureSums& other) {
  WF_CHECK(other.dim_ == dim_, "features: sums of ", other.dim_, " cannot be added to sums of ",
           dim_);
  data_ += other.data_;
}

FeatureStatistics FeatureSums::statistics() const {
  const auto n = count();
  WF_CHECK(n >= 2, "features: a covariance needs at least 2 images, got ", n);
  const auto sum = vector_sum();
  const auto mean = sum / static_cast<double>(n);
  const auto covariance = (product_sum() - at::outer(sum, mean)) / static_cast<double>(n - 1);
  return {mean, covariance, n};
}

}  // namespace wf
