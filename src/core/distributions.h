// Draws from distributions that are neither uniform nor normal.
#pragma once

#include "weightformer/core/random.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace wf {

/// The logarithm of a Gamma(shape, 1) draw, by Marsaglia and Tsang (2000). Below 1 the shape is
/// raised by 1 and the draw multiplied by u^(1 / shape), as in the paper.
inline double log_gamma(double shape, CounterRng& rng) {
  const double d = (shape < 1 ? shape + 1 : shape) - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  double log_draw = 0;
  while (true) {
    const double x = rng.normal();
    const double v = std::pow(1 + c * x, 3);
    if (v <= 0) continue;
    const double u = 1 - rng.uniform();  // never 0
    if (std::log(u) < 0.5 * x * x + d - d * v + d * std::log(v)) {
      log_draw = std::log(d * v);
      break;
    }
  }
  if (shape < 1) log_draw += std::log1p(-rng.uniform()) / shape;
  return log_draw;
}

/// Beta(a, b), in [0, 1]; a, b > 0.
inline double beta(double a, double b, CounterRng& rng) {
  const double first = log_gamma(a, rng), second = log_gamma(b, rng);
  return 1 / (1 + std::exp(second - first));
}

/// Weights that sum to 1: Dirichlet(alpha, …, alpha), `count` > 0 of them.
inline std::vector<double> dirichlet(double alpha, int count, CounterRng& rng) {
  std::vector<double> weights(static_cast<size_t>(count));
  for (auto& weight : weights) weight = log_gamma(alpha, rng);
  // The largest is 1 before the division: small alphas give logarithms that underflow.
  const double largest = *std::max_element(weights.begin(), weights.end());
  double sum = 0;
  for (auto& weight : weights) sum += weight = std::exp(weight - largest);
  for (auto& weight : weights) weight /= sum;
  return weights;
}

}  // namespace wf
