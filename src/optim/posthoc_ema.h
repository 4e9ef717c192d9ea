// EMAs of any width from snapshots of a few, after the training.
#pragma once

#include <vector>

namespace wf {

/// A power-function EMA (see EmaRule::power) as it was after some steps: the weights of step t
/// count in it in proportion to t^exponent.
struct EmaProfile {
  double step = 0;
  double exponent = 0;
};

/// A weighted sum of snapshots.
struct PosthocFit {
  std::vector<double> weights;  ///< of the snapshots
  double error = 0;             ///< relative: |sum of profiles - target| / |target|
};

/// The weighted sum of `snapshots` whose profile is nearest to `target` in the sense of least
/// squares over the time of training, in float64: Karras et al. 2024, "Analyzing and Improving the
/// Training Dynamics of Diffusion Models", section 3.2 and appendix C. Throws wf::Error when there
/// are no snapshots.
PosthocFit fit_profile(const std::vector<EmaProfile>& snapshots, const EmaProfile& target);

}  // namespace wf
