#include "emulator/kernel_test.h"
#include "kernels/cuda/column_gain_kernel.cuh"

namespace wf::testing {
namespace {

// The operator and its gradients. gram: [B, R, R]; right: [B, R, D].
struct ColumnGain {
  int batch, rows, columns;
  double scale;
  Numbers gram, right;

  size_t at(int b, int r, int j) const { return (static_cast<size_t>(b) * rows + r) * columns + j; }
  double gram_at(int b, int r, int s) const {
    return gram[(static_cast<size_t>(b) * rows + r) * rows + s];
  }

  /// gram right: [B, R, D]
  Numbers product() const {
    Numbers out(right.size());
    for (int b = 0; b < batch; ++b) {
      for (int r = 0; r < rows; ++r) {
        for (int s = 0; s < rows; ++s) {
          for (int j = 0; j < columns; ++j) {
            out[at(b, r, j)] += gram_at(b, r, s) * right[at(b, s, j)];
          }
        }
      }
    }
    return out;
  }

  /// ν: [B, D]
  Numbers norm() const {
    Numbers square(static_cast<size_t>(batch) * columns), p = product();
    for (int b = 0; b < batch; ++b) {
      for (int r = 0; r < rows; ++r) {
        for (int j = 0; j < columns; ++j) {
          square[b * columns + j] += right[at(b, r, j)] * p[at(b, r, j)];
        }
      }
    }
    for (double& s : square) s = scale * std::sqrt(std::max(s, 0.0));
    return square;
  }

  Numbers gained() const {
    Numbers out = right, nu = norm();
    for (int b = 0; b < batch; ++b) {
      for (int r = 0; r < rows; ++r) {
        for (int j = 0; j < columns; ++j) out[at(b, r, j)] /= 1 + nu[b * columns + j];
      }
    }
    return out;
  }

  /// Of Σ grad * gained(), for a gram that need not be symmetric.
  struct Gradients {
    Numbers gram, right;
  };
  Gradients backward(const Numbers& grad) const {
    Gradients out{Numbers(gram.size()), Numbers(right.size())};
    const Numbers nu = norm();
    for (int b = 0; b < batch; ++b) {
      for (int j = 0; j < columns; ++j) {
        const double n = nu[b * columns + j], factor = 1 / (1 + n);
        double d_factor = 0;
        for (int r = 0; r < rows; ++r) d_factor += grad[at(b, r, j)] * right[at(b, r, j)];
        const double d_norm = -d_factor / ((1 + n) * (1 + n));
        const double d_square = n == 0 ? 0 : d_norm * scale * scale / (2 * n);
        for (int r = 0; r < rows; ++r) {
          out.right[at(b, r, j)] += grad[at(b, r, j)] * factor;
          for (int s = 0; s < rows; ++s) {
            const double q = right[at(b, r, j)], other = right[at(b, s, j)], g = gram_at(b, r, s);
            out.gram[(static_cast<size_t>(b) * rows + r) * rows + s] += d_square * q * other;
            out.right[at(b, r, j)] += d_square * g * other;
            out.right[at(b, s, j)] += d_square * g * q;
          }
        }
      }
    }
    return out;
  }
};

// gram = left leftᵀ, as in dynamic_linear. The second column is zero.
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
    // weighted · rightᵀ, as in the kernel entry.
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
