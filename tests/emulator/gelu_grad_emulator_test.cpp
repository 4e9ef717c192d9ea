#include "emulator/kernel_test.h"
#include "kernels/cuda/gelu_grad_kernel.cuh"

namespace wf::testing {
namespace {

double gelu(double x, bool tanh) {
  const double inner = std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
  return tanh ? x / 2 * (1 + std::tanh(inner)) : x / 2 * (1 + std::erf(x / std::sqrt(2)));
}
// By central differences, far more exact than the kernels' float32.
double slope(double x, bool tanh) {
  constexpr double kStep = 1e-5;
  return (gelu(x + kStep, tanh) - gelu(x - kStep, tanh)) / (2 * kStep);
}

template <class T>
class GeluGradEmulator : public ::testing::Test {};
TYPED_TEST_SUITE(GeluGradEmulator, KernelTypes, KernelTypeNames);

TYPED_TEST(GeluGradEmulator, BothForms) {
  for (const bool tanh : {false, true}) {
    for (const auto& [count, offset] :
         {std::pair<size_t, size_t>{8, 0}, {13, 0}, {2056, 0}, {16, 1}}) {
      auto x = random_numbers<TypeParam>(count, 1), grad = random_numbers<TypeParam>(count, 2);
      for (auto& value : x) value *= 4;  // where both forms differ, and their tails
      Buffer<TypeParam> from(x, offset), gradient(grad, offset), y(count, offset);
      Numbers expected_y, expected_grad;
      for (size_t i = 0; i < count; ++i) {
        expected_y.push_back(gelu(x[i], tanh));
        expected_grad.push_back(grad[i] * slope(x[i], tanh));
      }
      cuda::launch_gelu_grad<TypeParam>(
          {gradient.data(), from.data(), y.data(), static_cast<int64_t>(count)}, tanh, emulate);
      expect_near(y, expected_y, "y");
      // Differences have eleven digits.
      if (!std::is_same_v<TypeParam, double>) expect_near(gradient, expected_grad, "grad");
      const auto got = gradient.values();
      for (size_t i = 0; i < count; ++i) EXPECT_NEAR(got[i], expected_grad[i], 3e-2);
    }
  }
}

TEST(Traffic, GeluGradMovesEachNumberOnce) {
  const auto numbers = random_numbers<float>(64, 1);
  Buffer<float> grad(numbers), x(numbers), y(64);
  const Traffic on_grad(grad), on_x(x), on_y(y);
  cuda::launch_gelu_grad<float>({grad.data(), x.data(), y.data(), 64}, false, emulate);
  EXPECT_EQ(on_grad.reads(), 1);
  EXPECT_EQ(on_grad.writes(), 1);
  EXPECT_EQ(on_x.reads(), 1);
  EXPECT_EQ(on_y.writes(), 1);
}

}  // namespace
}  // namespace wf::testing
