#include "emulator/kernel_test.h"
#include "kernels/cuda/dynamic_dwconv_kernel.cuh"

namespace wf::testing {
namespace {

// The operator and its gradients. kernel: [B, 9, C] or empty; weight: [9, C]; bias: [C]; shift,
// scale, gate: [B, C] or empty.
struct Dwconv {
  Tokens tokens;
  Numbers x, kernel, weight, bias, shift, scale, gate;
  bool residual;

  int row_at(int b, int c) const { return b * tokens.channels + c; }
  int tap_at(int b, int t, int c) const { return (b * 9 + t) * tokens.channels + c; }
  double norm(int b, int c) const {
    double square = 0;
    for (int t = 0; t < 9; ++t) square += kernel[tap_at(b, t, c)] * kernel[tap_at(b, t, c)];
    return std::sqrt(square);
  }
  double tap(int b, int t, int c) const {
    const double predicted = kernel.empty() ? 0 : kernel[tap_at(b, t, c)] / (1 + norm(b, c));
    return predicted + weight[t * tokens.channels + c];
  }
  double factor(int b, int c) const { return scale.empty() ? 1 : 1 + scale[row_at(b, c)]; }
  double gate_of(int b, int c) const { return gate.empty() ? 1 : gate[row_at(b, c)]; }
  double input(int b, int row, int column, int c) const {
    const double offset = shift.empty() ? 0 : shift[row_at(b, c)];
    return x[tokens(b, row, column, c)] * factor(b, c) + offset;
  }
  /// Before gate and residual.
  double convolved(int b, int row, int column, int c) const {
    double sum = bias[c];
    for (int t = 0; t < 9; ++t) {
      const int i = row + t / 3 - 1, j = column + t % 3 - 1;
      if (tokens.has(i, j)) sum += tap(b, t, c) * input(b, i, j, c);
    }
    return sum;
  }

  Numbers forward() const {
    Numbers y(tokens.size());
    for_each_token(tokens, [&](int b, int row, int column, int c) {
      const size_t at = tokens(b, row, column, c);
      y[at] = gate_of(b, c) * convolved(b, row, column, c) + (residual ? x[at] : 0);
    });
    return y;
  }

  /// Of Σ grad * forward(). taps: [B, 9, C], bias: [B, C], not yet summed over the batch.
  struct Gradients {
    Numbers x, taps, bias, kernel, shift, scale, gate;
  };
  Gradients backward(const Numbers& grad) const {
    const size_t rows = static_cast<size_t>(tokens.batch) * tokens.channels;
    Gradients out{Numbers(x.size()), Numbers(9 * rows), Numbers(rows), Numbers(9 * rows),
                  Numbers(rows),     Numbers(rows),     Numbers(rows)};
    for_each_token(tokens, [&](int b, int row, int column, int c) {
      const size_t at = tokens(b, row, column, c), per_row = row_at(b, c);
      const double d_sum = grad[at] * gate_of(b, c);
      if (residual) out.x[at] += grad[at];
      out.gate[per_row] += grad[at] * convolved(b, row, column, c);
      out.bias[per_row] += d_sum;
      for (int t = 0; t < 9; ++t) {
        const int i = row + t / 3 - 1, j = column + t % 3 - 1;
        if (!tokens.has(i, j)) continue;
        const double d_input = d_sum * tap(b, t, c);
        out.taps[tap_at(b, t, c)] += d_sum * input(b, i, j, c);
        out.x[tokens(b, i, j, c)] += d_input * factor(b, c);
        out.shift[per_row] += d_input;
        out.scale[per_row] += d_input * x[tokens(b, i, j, c)];
      }
    });
    if (!kernel.empty()) out.kernel = normalisation_backward(out.taps);
    return out;
  }

 private:
  Numbers normalisation_backward(const Numbers& taps) const {
    Numbers out(taps.size());
    for (int b = 0; b < tokens.batch; ++b) {
      for (int c = 0; c < tokens.channels; ++c) {
        const double n = norm(b, c);
        double dot = 0;
        for (int t = 0; t < 9; ++t) dot += kernel[tap_at(b, t, c)] * taps[tap_at(b, t, c)];
        for (int t = 0; t < 9; ++t) {
          const int at = tap_at(b, t, c);
          out[at] = taps[at] / (1 + n);
          if (n > 0) out[at] -= kernel[at] * dot / (n * (1 + n) * (1 + n));
        }
      }
    }
    return out;
  }
};

struct Options {
  bool kernel = true, modulation = false, gate = false, residual = false;
};

template <class T>
Dwconv random_case(const Tokens& t, const Options& options) {
  using A = cuda::Accumulate<T>;
  const size_t rows = static_cast<size_t>(t.batch) * t.channels;
  const auto given = [](bool is, size_t size, uint32_t seed) {
    return is ? random_numbers<A>(size, seed) : Numbers();
  };
  Dwconv c{t,
           random_numbers<T>(t.size(), 1),
           given(options.kernel, 9 * rows, 2),
           random_numbers<A>(9 * t.channels, 3),
           random_numbers<A>(t.channels, 4),
           given(options.modulation, rows, 5),
           given(options.modulation, rows, 6),
           given(options.gate, rows, 7),
           options.residual};
  // The normalization handles a kernel of zeros separately.
  for (int k = 0; options.kernel && k < 9; ++k) c.kernel[c.tap_at(0, k, 0)] = 0;
  return c;
}

template <class T>
struct Inputs {
  using A = cuda::Accumulate<T>;
  Buffer<T> x;
  Buffer<A> kernel, weight, bias, shift, scale, gate;
  Tokens tokens;
  bool residual;

  Inputs(const Dwconv& c, size_t offset)
      : x(c.x, offset),
        kernel(c.kernel),
        weight(c.weight),
        bias(c.bias),
        shift(c.shift),
        scale(c.scale),
        gate(c.gate),
        tokens(c.tokens),
        residual(c.residual) {}
  DwconvInput<T, A> params() {
    return {x.data(),
            kernel.data_or_null(),
            weight.data(),
            bias.data(),
            shift.data_or_null(),
            scale.data_or_null(),
            gate.data_or_null(),
            tokens.batch,
            tokens.height,
            tokens.width,
            tokens.channels,
            residual};
  }
};

template <class T>
void expect_forward(const Tokens& t, const Options& options, size_t offset = 0) {
  const auto c = random_case<T>(t, options);
  Inputs<T> in(c, offset);
  Buffer<T> y(t.size(), offset);
  cuda::launch_dwconv(in.params(), y.data(), emulate);
  expect_near(y, c.forward(), "y");
}

template <class T>
void expect_backward(const Tokens& t, const Options& options, size_t offset = 0) {
  using A = cuda::Accumulate<T>;
  const auto c = random_case<T>(t, options);
  const auto incoming = random_numbers<T>(t.size(), 8);
  Inputs<T> in(c, offset);
  const size_t rows = static_cast<size_t>(t.batch) * t.channels;
  Buffer<T> grad(incoming, offset), x(t.size(), offset);
  Buffer<A> taps(9 * rows), bias(rows), kernel(c.kernel.size()), shift(c.shift.size()),
      scale(c.scale.size()), gate(c.gate.size());
  cuda::launch_dwconv_backward(
      in.params(),
      DwconvGradients<T, A>{grad.data(), x.data(), taps.data(), bias.data(), kernel.data_or_null(),
                            shift.data_or_null(), scale.data_or_null(), gate.data_or_null()},
      emulate);
  const auto expected = c.backward(incoming);
  const auto if_given = [](const Numbers& is, const Numbers& n) { return is.empty() ? is : n; };
  expect_near(x, expected.x, "grad_x");
  expect_near(taps, expected.taps, "grad_taps");
  expect_near(bias, expected.bias, "grad_bias");
  expect_near(kernel, if_given(c.kernel, expected.kernel), "grad_kernel");
  expect_near(shift, if_given(c.shift, expected.shift), "grad_shift");
  expect_near(scale, if_given(c.scale, expected.scale), "grad_scale");
  expect_near(gate, if_given(c.gate, expected.gate), "grad_gate");
}

template <class T>
class DynamicDwconvEmulator : public ::testing::Test {};
TYPED_TEST_SUITE(DynamicDwconvEmulator, KernelTypes, KernelTypeNames);

// Channels with and without packs, one tile and two; a memory that is not aligned; fewer rows than
// strips, and more than one block has.
template <class Check>
void for_each_shape(Check check) {
  for (const auto& [height, width] :
       {std::pair{1, 1}, {1, 4}, {5, 1}, {2, 2}, {3, 3}, {7, 5}, {18, 2}}) {
    check(Tokens{2, height, width, 8}, 0);
  }
  for (int channels : {5, 37, 136}) check(Tokens{2, 4, 3, channels}, 0);
  check(Tokens{2, 4, 3, 8}, 1);
}

template <class Check>
void for_each_option(Check check) {
  for (int i = 0; i < 16; ++i) {
    check(Options{(i & 1) == 0, (i & 2) != 0, (i & 4) != 0, (i & 8) != 0});
  }
}

TYPED_TEST(DynamicDwconvEmulator, ForwardOfEveryShape) {
  for_each_shape([](const Tokens& t, size_t offset) {
    expect_forward<TypeParam>(t, {}, offset);
    expect_forward<TypeParam>(t, {true, true, true, true}, offset);
  });
}
TYPED_TEST(DynamicDwconvEmulator, ForwardWithEveryOption) {
  for_each_option([](const Options& o) { expect_forward<TypeParam>({2, 3, 4, 8}, o); });
}
TYPED_TEST(DynamicDwconvEmulator, BackwardOfEveryShape) {
  for_each_shape([](const Tokens& t, size_t offset) {
    expect_backward<TypeParam>(t, {}, offset);
    expect_backward<TypeParam>(t, {true, true, true, true}, offset);
  });
}
TYPED_TEST(DynamicDwconvEmulator, BackwardWithEveryOption) {
  for_each_option([](const Options& o) { expect_backward<TypeParam>({2, 3, 4, 8}, o); });
}

TEST(DynamicDwconvOracle, ItsGradientsAreDerivatives) {
  auto c = random_case<double>({2, 3, 2, 2}, {true, true, true, true});
  c.kernel =
      random_numbers<double>(c.kernel.size(), 9);  // none is zero, where it has no derivative
  const auto grad = random_numbers<double>(c.tokens.size(), 8);
  const auto expected = c.backward(grad);
  const auto loss = [&] { return dot(grad, c.forward()); };
  expect_derivative(c.x, expected.x, loss, "x");
  expect_derivative(c.kernel, expected.kernel, loss, "kernel");
  expect_derivative(c.shift, expected.shift, loss, "shift");
  expect_derivative(c.scale, expected.scale, loss, "scale");
  expect_derivative(c.gate, expected.gate, loss, "gate");
  const auto over_batch = [](const Numbers& n) {
    Numbers sum(n.size() / 2);
    for (size_t i = 0; i < n.size(); ++i) sum[i % sum.size()] += n[i];
    return sum;
  };
  expect_derivative(c.weight, over_batch(expected.taps), loss, "weight");
  expect_derivative(c.bias, over_batch(expected.bias), loss, "bias");
}

}  // namespace
}  // namespace wf::testing
