#include "emulator/kernel_test.h"
#include "kernels/cuda/layer_norm_kernel.cuh"

namespace wf::testing {
namespace {

constexpr double kEps = 1e-3;

// The operator and its gradients. Vectors are empty where not given.
struct LayerNorm {
  int batch, tokens, channels;
  bool per_sample;  // factor and offset are [B, C], otherwise [C]
  Numbers x, update, gate, factor, offset;
  bool gate_has_gradient = true;  // false: it is a scale of rows

  size_t rows() const { return static_cast<size_t>(batch) * tokens; }
  size_t vector_at(size_t i) const {
    return i / channels / tokens * channels + i % channels;  // [B, C]
  }
  size_t factor_at(size_t i) const { return per_sample ? vector_at(i) : i % channels; }

  Numbers sum() const {
    Numbers s = x;
    for (size_t i = 0; i < update.size(); ++i) {
      s[i] += (gate.empty() ? 1 : gate[vector_at(i)]) * update[i];
    }
    return s;
  }
  /// [B, N, 2]
  Numbers moments() const {
    const Numbers s = sum();
    Numbers out(rows() * 2);
    for (size_t row = 0; row < rows(); ++row) {
      double mean = 0, square = 0;
      for (int c = 0; c < channels; ++c) mean += s[row * channels + c] / channels;
      for (int c = 0; c < channels; ++c) square += std::pow(s[row * channels + c] - mean, 2);
      out[2 * row] = mean;
      out[2 * row + 1] = 1 / std::sqrt(square / channels + kEps);
    }
    return out;
  }
  Numbers normalized() const {
    Numbers n = sum();
    const Numbers m = moments();
    for (size_t i = 0; i < n.size(); ++i) {
      n[i] = (n[i] - m[i / channels * 2]) * m[i / channels * 2 + 1];
    }
    return n;
  }
  Numbers y() const {
    Numbers out = normalized();
    for (size_t i = 0; i < out.size(); ++i) {
      if (!factor.empty()) out[i] = out[i] * factor[factor_at(i)] + offset[factor_at(i)];
    }
    return out;
  }

  /// Of Σ grad * y() + Σ grad_sum * sum().
  struct Gradients {
    Numbers x, update, gate, factor, offset;
  };
  Gradients backward(const Numbers& grad, const Numbers& grad_sum) const {
    Gradients out{Numbers(x.size()), Numbers(update.size()), Numbers(gate.size()),
                  Numbers(factor.size()), Numbers(factor.size())};
    const Numbers n = normalized(), m = moments();
    for (size_t row = 0; row < rows(); ++row) {
      const size_t first = row * channels;
      double total = 0, product = 0;
      const auto dn = [&](size_t i) {
        return factor.empty() ? grad[i] : grad[i] * factor[factor_at(i)];
      };
      for (size_t i = first; i < first + channels; ++i) {
        total += dn(i) / channels;
        product += dn(i) * n[i] / channels;
      }
      for (size_t i = first; i < first + channels; ++i) {
        out.x[i] = (dn(i) - total - n[i] * product) * m[2 * row + 1];
        if (!grad_sum.empty()) out.x[i] += grad_sum[i];
        if (!update.empty()) out.update[i] = out.x[i];
        if (!gate.empty()) {
          out.update[i] *= gate[vector_at(i)];
          out.gate[vector_at(i)] += out.x[i] * update[i];
        }
        if (factor.empty()) continue;
        out.factor[factor_at(i)] += grad[i] * n[i];
        out.offset[factor_at(i)] += grad[i];
      }
    }
    return out;
  }
};

enum class Fused { nothing, affine, modulation, update, row_scale, gate, gate_and_modulation };

template <class U>
LayerNorm random_case(int batch, int tokens, int channels, Fused fused) {
  const size_t size = static_cast<size_t>(batch) * tokens * channels, vector = batch * channels;
  const bool modulated = fused == Fused::modulation || fused == Fused::gate_and_modulation;
  LayerNorm c{batch, tokens, channels, modulated, random_numbers<U>(size, 1), {}, {}, {}, {}};
  if (fused >= Fused::update) c.update = random_numbers<U>(size, 2);
  if (fused >= Fused::row_scale) c.gate = random_numbers<float>(vector, 3);
  c.gate_has_gradient = fused != Fused::row_scale;
  if (modulated || fused == Fused::affine) {
    c.factor = random_numbers<float>(modulated ? vector : channels, 4);
    c.offset = random_numbers<float>(c.factor.size(), 5);
  }
  return c;
}

// Less than a warp and more, less than one round of rows and more, two parts; memory that is not
// aligned; channels that are no multiple of a pack.
template <class U, class Check>
void for_each_case(Check check) {
  for (const auto fused : {Fused::nothing, Fused::affine, Fused::modulation, Fused::update,
                           Fused::row_scale, Fused::gate, Fused::gate_and_modulation}) {
    check(random_case<U>(2, 5, 8, fused), 0);
    check(random_case<U>(1, 3, 13, fused), 0);
  }
  check(random_case<U>(2, 35, 16, Fused::gate_and_modulation), 0);
  check(random_case<U>(1, 2, 272, Fused::affine), 0);
  check(random_case<U>(1, 2, 37, Fused::gate), 0);
  check(random_case<U>(2, 2, 8, Fused::gate_and_modulation), 1);
}

// What a kernel is compiled for: tokens, update, result.
template <class T, class U, class Y>
struct Dtypes {
  using Tokens = T;
  using Update = U;
  using Result = Y;
};
using NormDtypes = ::testing::Types<
    Dtypes<float, float, float>, Dtypes<double, double, double>,
    Dtypes<c10::Half, c10::Half, c10::Half>, Dtypes<c10::BFloat16, c10::BFloat16, c10::BFloat16>,
    Dtypes<float, c10::BFloat16, c10::BFloat16>, Dtypes<float, c10::BFloat16, float>,
    Dtypes<float, c10::Half, c10::Half>, Dtypes<float, c10::Half, float>>;

template <class D>
class LayerNormEmulator : public ::testing::Test {
 public:
  using T = typename D::Tokens;
  using U = typename D::Update;
  using Y = typename D::Result;
  using A = cuda::Accumulate<T>;

  static void forward(const LayerNorm& c, size_t offset) {
    Buffer<T> x(c.x, offset), sum(c.update.size(), offset);
    Buffer<U> update(c.update, offset);
    Buffer<A> gate(c.gate, offset), factor(c.factor, offset), shift(c.offset, offset),
        moments(c.rows() * 2);
    Buffer<Y> y(c.x.size(), offset);
    const NormShape shape{c.batch, c.tokens, c.channels};
    cuda::launch_layer_norm(
        NormInput<T, U, Y, A>{x.data(), update.data_or_null(), gate.data_or_null(),
                              factor.data_or_null(), shift.data_or_null(),
                              c.per_sample ? c.channels : 0, y.data(), sum.data_or_null(),
                              moments.data(), static_cast<A>(kEps), shape},
        emulate);
    if (sum.size() > 0) expect_near(sum, c.sum(), "sum");
    expect_near(moments, c.moments(), "moments");
    expect_near(y, c.y(), "y");
  }

  // `normalized`: the kernel gets the result of the forward pass.
  static void backward(const LayerNorm& c, size_t offset, bool with_sum, bool normalized) {
    const auto incoming = random_numbers<Y>(c.x.size(), 6);
    const auto incoming_sum = with_sum ? random_numbers<T>(c.x.size(), 7) : Numbers();
    Buffer<Y> grad(incoming, offset);
    Buffer<T> grad_sum(incoming_sum, offset), x(normalized ? c.normalized() : c.sum(), offset),
        grad_x(c.x.size(), offset);
    const bool gated = !c.gate.empty() && c.gate_has_gradient;
    Buffer<U> update(gated ? c.update : Numbers(), offset), grad_update(c.update.size(), offset);
    const size_t parts = (c.tokens + kNormPart - 1) / kNormPart;
    const size_t sums = c.batch * parts * c.channels;
    Buffer<A> factor(c.factor, offset), gate(c.gate, offset), moments(c.moments());
    Buffer<A> factor_sums(c.factor.empty() ? 0 : sums, offset),
        offset_sums(factor_sums.size(), offset), gate_sums(gated ? sums : 0, offset);
    const NormShape shape{c.batch, c.tokens, c.channels};
    cuda::launch_layer_norm_backward(
        NormGradients<T, U, Y, A>{grad.data(), grad_sum.data_or_null(), x.data(), normalized,
                                  moments.data(), factor.data_or_null(),
                                  c.per_sample ? c.channels : 0, update.data_or_null(),
                                  gate.data_or_null(), grad_x.data(), grad_update.data_or_null(),
                                  factor_sums.data_or_null(), offset_sums.data_or_null(),
                                  gate_sums.data_or_null(), shape},
        emulate);
    // From what the kernel got: short dtypes do not hold the sum, or the normalized tokens,
    // exactly.
    const auto expected = c.backward(incoming, incoming_sum);
    expect_close(grad_x, expected.x, "grad_x");
    if (!c.update.empty()) expect_close(grad_update, expected.update, "grad_update");
    const auto reduced = [&](const Buffer<A>& part_sums, bool per_sample) {
      Numbers out(per_sample ? c.batch * c.channels : c.channels);
      const auto values = part_sums.values();
      for (size_t i = 0; i < values.size(); ++i) {
        out[(per_sample ? i / c.channels / parts * c.channels : 0) + i % c.channels] += values[i];
      }
      return out;
    };
    if (gated) expect_close(Buffer<T>(reduced(gate_sums, true)), expected.gate, "gate");
    if (c.factor.empty()) return;
    expect_close(Buffer<T>(reduced(factor_sums, c.per_sample)), expected.factor, "factor");
    expect_close(Buffer<A>(reduced(offset_sums, c.per_sample)), expected.offset, "offset");
  }

 private:
  // The input is rounded once more than in other kernels, and rstd multiplies that.
  template <class V>
  static void expect_close(const Buffer<V>& got, const Numbers& expected, const char* what) {
    constexpr double kRounded = std::max({kTolerance<T>, kTolerance<U>, kTolerance<Y>});
    const auto values = got.values();
    ASSERT_EQ(values.size(), expected.size()) << what;
    for (size_t i = 0; i < values.size(); ++i) {
      ASSERT_NEAR(values[i], expected[i], 8 * kRounded * std::max(1.0, std::abs(expected[i])))
          << what << "[" << i << "]";
    }
  }
};
TYPED_TEST_SUITE(LayerNormEmulator, NormDtypes);

TYPED_TEST(LayerNormEmulator, Forward) {
  for_each_case<typename TypeParam::Update>(
      [&](const LayerNorm& c, size_t offset) { TestFixture::forward(c, offset); });
}

TYPED_TEST(LayerNormEmulator, Backward) {
  for_each_case<typename TypeParam::Update>([&](const LayerNorm& c, size_t offset) {
    TestFixture::backward(c, offset, /*with_sum=*/c.tokens % 2 == 1, /*normalized=*/false);
    if (c.factor.empty()) TestFixture::backward(c, offset, true, /*normalized=*/true);
  });
}

TEST(LayerNormOracle, ItsGradientsAreDerivatives) {
  auto c = random_case<double>(2, 2, 3, Fused::gate_and_modulation);
  const auto grad = random_numbers<double>(c.x.size(), 6),
             grad_sum = random_numbers<double>(c.x.size(), 7);
  const auto loss = [&] { return dot(grad, c.y()) + dot(grad_sum, c.sum()); };
  const auto expected = c.backward(grad, grad_sum);
  expect_derivative(c.x, expected.x, loss, "x");
  expect_derivative(c.update, expected.update, loss, "update");
  expect_derivative(c.gate, expected.gate, loss, "gate");
  expect_derivative(c.factor, expected.factor, loss, "factor");
  expect_derivative(c.offset, expected.offset, loss, "offset");
}

}  // namespace
}  // namespace wf::testing
