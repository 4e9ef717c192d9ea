// Golden files and the tolerances they are held to.
#pragma once

#include "weightformer/serialization/weights.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <torch/types.h>

#include <string>
#include <vector>

namespace wf::testing {

// Relative L2 distance allowed to the float64 reference, for float32 on the CPU.
constexpr double kOpTolerance = 1e-6;
constexpr double kLogitTolerance = 1e-5;
constexpr double kNanoGradientTolerance = 1e-5;
constexpr double kGradientNormTolerance = 1e-4;  // float32 PyTorch itself is off by 4e-5
constexpr double kTrainingTolerance = 1e-5;

inline std::string golden_path(const std::string& name) { return WF_GOLDEN_DIR "/" + name; }

inline Safetensors golden(const std::string& name) { return read_safetensors(golden_path(name)); }

inline nlohmann::json about(const Safetensors& file) {
  return nlohmann::json::parse(file.metadata.at("about"));
}

inline double relative_error(const at::Tensor& actual, const at::Tensor& expected) {
  const auto want = expected.to(torch::kDouble);
  const double distance = (actual.detach().to(torch::kDouble) - want).norm().item<double>();
  const double size = want.norm().item<double>();
  return size > 0 ? distance / size : distance;
}

inline void expect_close(const at::Tensor& actual, const at::Tensor& expected, double tolerance,
                         const std::string& what) {
  ASSERT_TRUE(actual.defined()) << what << " is undefined";
  ASSERT_EQ(actual.sizes(), expected.sizes()) << what;
  // Written so that a NaN fails.
  EXPECT_TRUE(relative_error(actual, expected) <= tolerance)
      << what << ": relative error " << relative_error(actual, expected) << ", allowed "
      << tolerance;
}

}  // namespace wf::testing
