#include "weightformer/ops/layer_norm.h"

#include "op_cases.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <torch/types.h>

#include <algorithm>

namespace wf {
namespace {

using NormTensors = OpCase::Tensors;

enum class NormCase { affine, modulated, gated, fork, rows };

// x; then weight and bias, or scale and shift and for a fork update and gate, or update and gate,
// or update.
auto norm(NormCase which) {
  return [=](const OpSize& size, at::TensorOptions options) {
    // The gradient of one or two normalized channels is nothing but rounding.
    const int64_t b = size.batch, c = std::max<int64_t>(size.channels, 5);
    const auto tokens = [&] { return torch::randn({b, size.grid.tokens(), c}, options); };
    const auto vector = [&] {
      return which == NormCase::affine ? torch::randn({c}, options) : torch::randn({b, c}, options);
    };
    if (which == NormCase::rows) return NormTensors{tokens(), tokens()};
    if (which == NormCase::gated) return NormTensors{tokens(), tokens(), vector()};
    NormTensors t{tokens(), vector(), vector()};
    if (which == NormCase::fork) t.insert(t.end(), {tokens(), vector()});
    return t;
  };
}
NormOptions norm_options(NormCase which, const NormTensors& t) {
  NormOptions o;
  o.eps = 1e-3;  // with fewer channels than in a model, a variance may be near zero
  if (which == NormCase::affine) {
    o.weight = t[1];
    o.bias = t[2];
  } else if (which == NormCase::gated) {
    o.update = t[1];
    o.gate = t[2];
  } else if (which == NormCase::rows) {
    o.update = t[1];
    o.row_scale = at::arange(1, t[0].size(0) + 1, t[0].options()) / 4;
  } else {
    o.scale = t[1];
    o.shift = t[2];
  }
  if (which == NormCase::fork) {
    o.update = t[3];
    o.gate = t[4];
  }
  return o;
}
// Both results of a fork, one beside the other.
at::Tensor beside(const std::pair<at::Tensor, at::Tensor>& results) {
  return at::cat({results.first, results.second}, 2);
}
OpCase norm_case(const char* name, NormCase which) {
  const auto ours = [=](const NormTensors& t, Grid) {
    const auto options = norm_options(which, t);
    return which == NormCase::fork ? beside(layer_norm_fork(t[0], options))
                                   : layer_norm(t[0], options);
  };
  const auto plain = [=](const NormTensors& t, Grid) {
    const auto results = reference::layer_norm(t[0], norm_options(which, t));
    return which == NormCase::fork ? beside(results) : results.second;
  };
  return {name, ours, plain, norm(which), 3};
}

}  // namespace

std::vector<OpCase> with_norm_cases(std::vector<OpCase> cases) {
  cases.push_back(norm_case("layer_norm, affine", NormCase::affine));
  cases.push_back(norm_case("layer_norm, modulated", NormCase::modulated));
  cases.push_back(norm_case("layer_norm, gated update", NormCase::gated));
  cases.push_back(norm_case("layer_norm, scaled rows of an update", NormCase::rows));
  cases.push_back(norm_case("layer_norm, fork of a gated update", NormCase::fork));
  return cases;
}

}  // namespace wf
