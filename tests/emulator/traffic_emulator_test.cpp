// How often each kernel reads and writes every number of its tensors. More than once is a pass over
// memory that a cache may or may not serve.

#include "emulator/kernel_test.h"
#include "kernels/cuda/column_gain_kernel.cuh"
#include "kernels/cuda/dynamic_dwconv_kernel.cuh"
#include "kernels/cuda/grid_pool3_kernel.cuh"
#include "kernels/cuda/layer_norm_kernel.cuh"
#include "kernels/cuda/token_pool_kernel.cuh"

namespace wf::testing {
namespace {

using cuda::kRowGroups;

// Channels fill packs, but not the last warp.
constexpr int kBatch = 2, kChannels = 24;

template <class T>
struct Filled : Buffer<T> {
  explicit Filled(size_t size) : Buffer<T>(random_numbers<T>(size, 1)) {}
};
Filled<float> tokens(int count) { return Filled<float>(size_t{kBatch} * count * kChannels); }
Filled<float> vectors() { return tokens(1); }

TEST(Traffic, CountsPartsOfABufferAndNothingElse) {
  Buffer<float> inside(8), outside(8);
  const Traffic traffic(inside);
  cuda::store(inside.data() + 4, cuda::Vec<float, 4>(1));
  cuda::store(outside.data(), cuda::load<2>(inside.data()));
  EXPECT_EQ(traffic.writes(), 0.5);
  EXPECT_EQ(traffic.reads(), 0.25);
}

TEST(Traffic, TokenPoolMovesEachNumberOnce) {
  auto x = tokens(16), y = tokens(4);
  const Traffic on_x(x), on_y(y);
  cuda::launch_token_pool<float>({x.data(), y.data(), kBatch, 4, 4, kChannels}, emulate);
  EXPECT_EQ(on_x.reads(), 1);
  EXPECT_EQ(on_y.writes(), 1);
  cuda::launch_token_pool_backward<float>({y.data(), x.data(), kBatch, 4, 4, kChannels}, emulate);
  EXPECT_EQ(on_y.reads(), 1);
  EXPECT_EQ(on_x.writes(), 1);
}

TEST(Traffic, GridPool3MovesEachTokenOnce) {
  auto x = tokens(36), y = tokens(9);
  const Traffic on_x(x), on_y(y);
  cuda::launch_grid_pool3(
      cuda::grid_pool3_params<float>(x.data(), y.data(), kBatch, 6, 6, kChannels), emulate);
  EXPECT_EQ(on_x.reads(), 1);
  EXPECT_EQ(on_y.writes(), 1);
  cuda::launch_grid_pool3_backward(
      cuda::grid_pool3_params<float>(y.data(), x.data(), kBatch, 6, 6, kChannels), emulate);
  EXPECT_EQ(on_x.writes(), 1);
  EXPECT_EQ(on_y.reads(), 4);  // by the tokens of its cell
}

// Two passes over a column, the first for its norm.
TEST(Traffic, ColumnGainReadsItsMatrixTwice) {
  auto right = tokens(9), product = tokens(9), gained = tokens(9), norm = vectors();
  const Traffic on_right(right), on_product(product), on_gained(gained), on_norm(norm);
  cuda::launch_column_gain<float>(
      {right.data(), product.data(), gained.data(), norm.data(), 0.4f, kBatch, 9, kChannels},
      emulate);
  EXPECT_EQ(on_right.reads(), 2);
  EXPECT_EQ(on_product.reads(), 1);
  EXPECT_EQ(on_gained.writes(), 1);
  EXPECT_EQ(on_norm.writes(), 1);
}

TEST(Traffic, ColumnGainBackwardReadsMatrixAndGradientTwice) {
  auto grad = tokens(9), right = tokens(9), product = tokens(9), norm = vectors(),
       grad_right = tokens(9), weighted = tokens(9);
  const Traffic on_grad(grad), on_right(right), on_product(product), on_norm(norm),
      on_grad_right(grad_right), on_weighted(weighted);
  cuda::launch_column_gain_backward<float>(
      {grad.data(), right.data(), product.data(), norm.data(), grad_right.data(), weighted.data(),
       0.4f, kBatch, 9, kChannels},
      emulate);
  EXPECT_EQ(on_grad.reads(), 2);
  EXPECT_EQ(on_right.reads(), 2);
  EXPECT_EQ(on_product.reads(), 1);
  EXPECT_EQ(on_norm.reads(), kRowGroups);
  EXPECT_EQ(on_grad_right.writes(), 1);
  EXPECT_EQ(on_weighted.writes(), 1);
}

// Every row is an input of three rows of outputs, but the first and the last of two.
TEST(Traffic, DwconvReadsEachRowThriceAndForTheResidualOnceMore) {
  constexpr int kHeight = 8, kWidth = 5;
  constexpr double kRows = (3.0 * kHeight - 2) / kHeight;
  auto x = tokens(kHeight * kWidth), y = tokens(kHeight * kWidth), grad = tokens(kHeight * kWidth),
       grad_x = tokens(kHeight * kWidth);
  auto taps = tokens(9), bias = vectors();
  Filled<float> weight(9 * kChannels), own_bias(kChannels);
  const DwconvInput<float, float> in{x.data(),         nullptr, weight.data(), own_bias.data(),
                                     nullptr,          nullptr, nullptr,       kBatch,
                                     kHeight,          kWidth,  kChannels,
                                     /*residual=*/true};
  const Traffic on_x(x), on_y(y), on_grad(grad), on_grad_x(grad_x);
  cuda::launch_dwconv(in, y.data(), emulate);
  EXPECT_DOUBLE_EQ(on_x.reads(), kRows + 1);
  EXPECT_EQ(on_y.writes(), 1);
  cuda::launch_dwconv_backward(
      in,
      DwconvGradients<float, float>{grad.data(), grad_x.data(), taps.data(), bias.data(), nullptr,
                                    nullptr, nullptr, nullptr},
      emulate);
  // One kernel reads the gradient for that of x, another one both for those of the taps.
  EXPECT_DOUBLE_EQ(on_grad.reads(), kRows + 1 + 1);
  EXPECT_DOUBLE_EQ(on_x.reads(), kRows + 1 + kRows);
  EXPECT_EQ(on_grad_x.writes(), 1);
}

constexpr int kTokens = kNormPart + 3, kParts = 2;

TEST(Traffic, LayerNormMovesEachNumberOnce) {
  auto x = tokens(kTokens), update = tokens(kTokens), y = tokens(kTokens), sum = tokens(kTokens);
  auto gate = vectors(), factor = vectors(), offset = vectors();
  Buffer<float> moments(kBatch * kTokens * 2);
  const Traffic on_x(x), on_update(update), on_y(y), on_sum(sum), on_gate(gate), on_factor(factor),
      on_offset(offset), on_moments(moments);
  cuda::launch_layer_norm(NormInput<float, float, float, float>{x.data(),
                                                                update.data(),
                                                                gate.data(),
                                                                factor.data(),
                                                                offset.data(),
                                                                kChannels,
                                                                y.data(),
                                                                sum.data(),
                                                                moments.data(),
                                                                1e-6f,
                                                                {kBatch, kTokens, kChannels}},
                          emulate);
  for (const auto* input : {&on_x, &on_update}) EXPECT_EQ(input->reads(), 1);
  for (const auto* output : {&on_y, &on_sum, &on_moments}) EXPECT_EQ(output->writes(), 1);
  for (const auto* output : {&on_y, &on_sum, &on_moments}) EXPECT_EQ(output->reads(), 0);
  for (const auto* vector : {&on_gate, &on_factor, &on_offset}) EXPECT_EQ(vector->reads(), kParts);
}

TEST(Traffic, LayerNormBackwardMovesEachNumberOnce) {
  auto grad = tokens(kTokens), grad_sum = tokens(kTokens), x = tokens(kTokens),
       update = tokens(kTokens), grad_x = tokens(kTokens), grad_update = tokens(kTokens);
  auto gate = vectors(), factor = vectors();
  auto factor_sums = tokens(kParts), offset_sums = tokens(kParts), gate_sums = tokens(kParts);
  Filled<float> moments(kBatch * kTokens * 2);
  const Traffic on_grad(grad), on_grad_sum(grad_sum), on_x(x), on_update(update), on_grad_x(grad_x),
      on_grad_update(grad_update), on_factor_sums(factor_sums), on_offset_sums(offset_sums),
      on_gate_sums(gate_sums);
  NormGradients<float, float, float, float> g{};
  g.grad = grad.data();
  g.grad_sum = grad_sum.data();
  g.x = x.data();
  g.moments = moments.data();
  g.factor = factor.data();
  g.next_factor = kChannels;
  g.update = update.data();
  g.gate = gate.data();
  g.grad_x = grad_x.data();
  g.grad_update = grad_update.data();
  g.factor_sums = factor_sums.data();
  g.offset_sums = offset_sums.data();
  g.gate_sums = gate_sums.data();
  g.shape = {kBatch, kTokens, kChannels};
  cuda::launch_layer_norm_backward(g, emulate);
  for (const auto* input : {&on_grad, &on_grad_sum, &on_x, &on_update}) {
    EXPECT_EQ(input->reads(), 1);
    EXPECT_EQ(input->writes(), 0);
  }
  for (const auto* output :
       {&on_grad_x, &on_grad_update, &on_factor_sums, &on_offset_sums, &on_gate_sums}) {
    EXPECT_EQ(output->writes(), 1);
    EXPECT_EQ(output->reads(), 0);
  }
}

}  // namespace
}  // namespace wf::testing
