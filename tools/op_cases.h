// The operators, their references, and inputs for them: `wf_bench --ops` times this table, and
// tests/ops/op_cases_test.cpp checks it.
#pragma once

#include "weightformer/ops/grid.h"

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

namespace wf {

/// A layer: B samples of a grid of tokens with C channels.
struct OpSize {
  int64_t batch;
  Grid grid;
  int64_t channels;
};

struct OpCase {
  using Tensors = std::vector<at::Tensor>;
  using Function = std::function<at::Tensor(const Tensors&, Grid)>;

  std::string name;        ///< of the operator; after a comma, the variant
  Function op, reference;  ///< differentiable with respect to every input
  std::function<Tensors(const OpSize&, at::TensorOptions)> make_inputs;  ///< random numbers
  double roundings = 1;  ///< number of roundings to the dtype in the computation
};

const std::vector<OpCase>& op_cases();

/// Adds those for layer_norm.
std::vector<OpCase> with_norm_cases(std::vector<OpCase> others);

}  // namespace wf
