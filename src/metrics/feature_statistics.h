// Mean and covariance of feature vectors, gathered in pieces.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace wf {

/// The Gaussian that the Fréchet distance fits to a set of features.
struct FeatureStatistics {
  at::Tensor mean;        ///< [D] float64
  at::Tensor covariance;  ///< [D, D] float64, the sum of squares over N - 1, as numpy.cov has it
  int64_t count = 0;      ///< feature vectors that they come from; 0: not known

  int64_t dim() const { return mean.numel(); }
};

/// Sums over feature vectors: the count, the vectors, their outer products. Sums of parts add up to
/// the sums of all, so that any number of ranks can share the work and memory does not grow
/// with the number of images (34 MB for 2,048 features).
class FeatureSums {
 public:
  explicit FeatureSums(int64_t dim);

  /// features: [N, dim] of any float type, on any device; N may be 0. Throws wf::Error for another
  /// shape and for values that are not finite.
  void add(const at::Tensor& features);
  void add(const FeatureSums& other);

  int64_t dim() const { return dim_; }
  int64_t count() const;

  /// [1 + dim + dim * dim] float64 on the CPU: count, sum, sum of outer products. Added over ranks
  /// in place, it makes this object the sums of all of them.
  at::Tensor& data() { return data_; }

  /// Throws wf::Error for fewer than two feature vectors.
  FeatureStatistics statistics() const;

 private:
  at::Tensor vector_sum() const;
  at::Tensor product_sum() const;

  int64_t dim_;
  at::Tensor data_;
};

}  // namespace wf
