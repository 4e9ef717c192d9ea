// Feature vectors for the tests of metrics, as tests/golden/make_metrics_golden.py makes them.
#pragma once

#include "support/fill.h"
#include "support/golden.h"

#include <fstream>
#include <string>

namespace wf::testing {

/// relu(u W + shift), [count, dim] float64, from the hashes of `name` and "`name`.mix".
inline at::Tensor metric_features(const std::string& name, int64_t count, int64_t dim,
                                  double shift) {
  const auto u = uniform_signed(name, count * dim).view({count, dim});
  const auto mix = uniform_signed(name + ".mix", dim * dim).view({dim, dim});
  return (u.mm(mix) + shift).relu();
}

inline nlohmann::json golden_metrics() {
  return nlohmann::json::parse(std::ifstream(golden_path("metrics/metrics.json")));
}

}  // namespace wf::testing
