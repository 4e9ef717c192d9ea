// The Fréchet distance between two sets of features; with those of Inception-v3, the FID.
#pragma once

#include "metrics/feature_statistics.h"

namespace wf {

/// |m1 - m2|² + tr(S1 + S2 - 2 (S1 S2)^½), the squared 2-Wasserstein distance of two Gaussians
/// (Dowson and Landau 1982), proposed as FID by Heusel et al. 2017.
///
/// The last trace is the sum of the singular values of S1^½ S2^½, with the roots from the
/// eigen-decompositions of the two symmetric matrices, all in float64. There is no root of a
/// product that is not symmetric, so nothing can come out imaginary, and covariances without full
/// rank need nothing added to their diagonals. Rounding may leave a distance of 0 slightly below
/// it.
///
/// Throws wf::Error for statistics of different size, not finite, or with a matrix that is no
/// covariance (not symmetric, or with an eigenvalue below 0 by more than rounding).
double frechet_distance(const FeatureStatistics& a, const FeatureStatistics& b);

/// The distance of N feature vectors and of halves of them to one reference. Its expectation falls
/// with N even for perfect samples; the bias goes by 1/N (Chong and Forsyth 2020).
struct FrechetByCount {
  double all = 0;   ///< of N
  double half = 0;  ///< of N/2: the mean over the two halves

  /// The straight line in 1/N through both, at 1/N = 0.
  double extrapolated() const { return 2 * all - half; }
  /// What is estimated to come from N being finite.
  double bias() const { return half - all; }
};

/// `first` and `second` are the sums over two halves of the samples.
FrechetByCount frechet_by_count(const FeatureSums& first, const FeatureSums& second,
                                const FeatureStatistics& reference);

}  // namespace wf
