#include "emulator/kernel_test.h"
#include "kernels/cuda/dynamic_dwconv_kernel.cuh"

namespace wf::testing {
namespace {

using oracle::Dwconv;
using oracle::Tokens;

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
  // The normalisation has a case of its own for a kernel that is zero.
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
