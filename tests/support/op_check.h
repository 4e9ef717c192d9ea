// An operator against its reference in float64, in every dtype, and against finite differences.
#pragma once

#include "support/golden.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

namespace wf::testing {

using Tensors = std::vector<at::Tensor>;
using Op = std::function<at::Tensor(const Tensors&)>;

/// WF_DEVICE=cuda runs the same cases on a GPU.
inline c10::Device test_device() {
  const char* name = std::getenv("WF_DEVICE");
  return c10::Device(name ? name : "cpu");
}

/// Relative L2 error allowed to a result of one rounding of each number, sums in float32.
inline double tolerance(at::ScalarType type) {
  switch (type) {
    case at::kDouble:
      return 1e-12;
    case at::kFloat:
      return 1e-6;
    case at::kHalf:
      return 2e-3;
    default:
      return 1.2e-2;  // bfloat16
  }
}

inline const std::vector<at::ScalarType>& op_dtypes() {
  static const std::vector<at::ScalarType> all{at::kDouble, at::kFloat, at::kHalf, at::kBFloat16};
  return all;
}

struct Result {
  at::Tensor y;
  Tensors grads;
};

/// What the gradients are of: sums of the output with these weights, which every dtype holds
/// exactly and which do not cancel.
inline at::Tensor output_weights(const at::Tensor& y) {
  return ((torch::arange(y.numel()) * 7 % 16 - 5) / 8.0).to(y.options()).view(y.sizes());
}

inline Result run_with_gradients(const Op& op, const Tensors& inputs) {
  Tensors leaves;
  // Through a leaf, so that strides are preserved.
  for (const auto& t : inputs) leaves.push_back(t.detach().requires_grad_());
  const auto y = op(leaves);
  const auto weights = output_weights(y);
  return {y.detach(), torch::autograd::grad({y}, leaves, {weights}, std::nullopt, false,
                                            /*allow_unused=*/true)};
}

/// The output and the gradient of every input agree with `reference` in float64 on the same
/// numbers.
inline void expect_op_matches(const Op& op, const Op& reference, const Tensors& inputs,
                              const std::string& what, double times = 1) {
  const auto type = inputs[0].scalar_type();
  const auto got = run_with_gradients(op, inputs);
  Tensors wide;
  for (const auto& t : inputs) wide.push_back(t.cpu().to(torch::kDouble));
  const auto want = run_with_gradients(reference, wide);
  EXPECT_EQ(got.y.scalar_type(), type) << what;
  expect_close(got.y.cpu(), want.y, times * tolerance(type), what + ": y");
  for (size_t i = 0; i < inputs.size(); ++i) {
    const auto name = what + ": gradient of input " + std::to_string(i);
    EXPECT_EQ(got.grads[i].scalar_type(), inputs[i].scalar_type()) << name;
    expect_close(got.grads[i].cpu(), want.grads[i], times * tolerance(type), name);
  }
}

/// Every gradient agrees with central differences; inputs are float64.
inline void expect_gradcheck(const Op& op, const Tensors& inputs) {
  constexpr double kStep = 1e-6;
  const auto got = run_with_gradients(op, inputs);
  const auto loss = [&](const Tensors& at) {
    const torch::NoGradGuard no_grad;
    const auto y = op(at);
    const auto weights = output_weights(y);
    return (y * weights).sum().item<double>();
  };
  for (size_t i = 0; i < inputs.size(); ++i) {
    auto numeric = torch::zeros_like(inputs[i]).contiguous().view({-1});
    for (int64_t k = 0; k < numeric.numel(); ++k) {
      const auto moved = [&](double by) {
        Tensors at;
        for (const auto& t : inputs) at.push_back(t.detach().clone());
        at[i] = at[i].contiguous();
        at[i].view({-1})[k] += by;
        return loss(at);
      };
      numeric[k] = (moved(kStep) - moved(-kStep)) / (2 * kStep);
    }
    expect_close(got.grads[i], numeric.view(inputs[i].sizes()), 1e-7,
                 "gradient of input " + std::to_string(i));
  }
}

}  // namespace wf::testing
