#include "emulator/kernel_test.h"
#include "kernels/cuda/column_gain_kernel.cuh"

namespace wf::testing {
namespace {

using oracle::ColumnGain;

// gram = left leftᵀ, as dynamic_linear has it. The second column is zero.
template <class T>
ColumnGain random_case(int batch, int rows, int columns) {
  constexpr int kWidth = 3;
  ColumnGain c{batch, rows, columns, 0.4, Numbers(batch * rows * rows), {}};
  c.right = random_numbers<T>(static_cast<size_t>(batch) * rows * columns, 1);
  const auto left = random_numbers<T>(static_cast<size_t>(batch) * rows * kWidth, 2);
  for (int b = 0; b < batch; ++b) {
    for (int r = 0; r < rows; ++r) {
      if (columns > 1) c.right[c.at(b, r, 1)] = 0;
      for (int s = 0; s < rows; ++s) {
        for (int k = 0; k < kWidth; ++k) {
          c.gram[(b * rows + r) * rows + s] +=
              left[(b * rows + r) * kWidth + k] * left[(b * rows + s) * kWidth + k];
        }
      }
    }
  }
  return c;
}

template <class T>
class ColumnGainEmulator : public ::testing::Test {};
TYPED_TEST_SUITE(ColumnGainEmulator, KernelTypes, KernelTypeNames);

// Fewer rows than row groups and more; columns with and without packs, one tile and two; memory
// that is not aligned.
template <class T, class Check>
void for_each_case(Check check) {
  for (int rows : {1, 3, 9}) {
    for (int columns : {1, 8, 13}) check(random_case<T>(2, rows, columns), 0);
  }
  check(random_case<T>(1, 6, 264), 0);
  check(random_case<T>(1, 6, 37), 0);
  check(random_case<T>(2, 6, 8), 1);
}

TYPED_TEST(ColumnGainEmulator, Forward) {
  using A = cuda::Accumulate<TypeParam>;
  for_each_case<TypeParam>([](const ColumnGain& c, size_t offset) {
    Buffer<TypeParam> right(c.right, offset), gained(c.right.size(), offset);
    Buffer<A> product(c.product(), offset), norm(c.batch * c.columns, offset);
    cuda::launch_column_gain<TypeParam>({right.data(), product.data(), gained.data(), norm.data(),
                                         static_cast<A>(c.scale), c.batch, c.rows, c.columns},
                                        emulate);
    expect_near(norm, c.norm(), "norm");
    expect_near(gained, c.gained(), "gained");
  });
}

TYPED_TEST(ColumnGainEmulator, Backward) {
  using A = cuda::Accumulate<TypeParam>;
  for_each_case<TypeParam>([](const ColumnGain& c, size_t offset) {
    const auto incoming = random_numbers<TypeParam>(c.right.size(), 3);
    Buffer<TypeParam> grad(incoming, offset), right(c.right, offset),
        grad_right(c.right.size(), offset);
    Buffer<A> product(c.product(), offset), norm(c.norm(), offset),
        weighted(c.right.size(), offset);
    cuda::launch_column_gain_backward<TypeParam>(
        {grad.data(), right.data(), product.data(), norm.data(), grad_right.data(), weighted.data(),
         static_cast<A>(c.scale), c.batch, c.rows, c.columns},
        emulate);
    const auto expected = c.backward(incoming);
    expect_near(grad_right, expected.right, "grad_right");
    // weighted · rightᵀ, as the entry has it.
    const auto w = weighted.values();
    Numbers gram(c.gram.size());
    for (size_t i = 0; i < gram.size(); ++i) {
      const int b = i / (c.rows * c.rows), r = i / c.rows % c.rows, s = i % c.rows;
      for (int j = 0; j < c.columns; ++j) gram[i] += w[c.at(b, r, j)] * c.right[c.at(b, s, j)];
    }
    expect_near(Buffer<A>(gram), expected.gram, "grad_gram");
  });
}

TYPED_TEST(ColumnGainEmulator, RoundingBelowZeroIsNoNorm) {
  using A = cuda::Accumulate<TypeParam>;
  Buffer<TypeParam> right(Numbers{1}), gained(1);
  Buffer<A> product(Numbers{-1e-6}), norm(1);
  cuda::launch_column_gain<TypeParam>(
      {right.data(), product.data(), gained.data(), norm.data(), 0.5, 1, 1, 1}, emulate);
  expect_near(norm, {0}, "norm");
  expect_near(gained, {1}, "gained");
}

TEST(ColumnGainOracle, ItsGradientsAreDerivatives) {
  auto c = random_case<double>(2, 3, 4);
  for (int b = 0; b < c.batch; ++b) {
    for (int r = 0; r < c.rows; ++r) c.right[c.at(b, r, 1)] = 0.1 * (r + 1);  // smooth there
  }
  const auto grad = random_numbers<double>(c.right.size(), 3);
  const auto expected = c.backward(grad);
  const auto loss = [&] { return dot(grad, c.gained()); };
  expect_derivative(c.right, expected.right, loss, "right");
  expect_derivative(c.gram, expected.gram, loss, "gram");
}

}  // namespace
}  // namespace wf::testing
