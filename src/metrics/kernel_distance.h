#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace wf {

/// The unbiased estimate of the squared maximum mean discrepancy of two sets of features, x [M, D]
/// and y [N, D], M and N at least 2, with the kernel (x·y / D + 1)³; in float64. Source: Bińkowski
/// et al. 2018 (Demystifying MMD GANs), equation 4 and section 3.
double polynomial_mmd2(const at::Tensor& x, const at::Tensor& y);

struct KernelDistanceOptions {
  int64_t subsets = 100;
  int64_t subset_size = 1000;
  uint64_t seed = 2020;
};

struct KernelDistance {
  double mean = 0, std = 0;  ///< over the subsets; std with divisor `subsets`
};

/// The kernel inception distance: polynomial_mmd2() over random subsets, drawn without replacement
/// and by (seed, subset, side), so that it does not depend on the machine. x: [M, D], y: [N, D].
/// A set smaller than options.subset_size makes the subsets that small. Without bias, it may be
/// slightly below 0. Throws wf::Error.
KernelDistance kernel_distance(const at::Tensor& x, const at::Tensor& y,
                               const KernelDistanceOptions& options = {});

}  // namespace wf
