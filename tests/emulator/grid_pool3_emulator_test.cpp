#include "emulator/kernel_test.h"
#include "kernels/cuda/grid_pool3_kernel.cuh"

namespace wf::testing {
namespace {

using oracle::Tokens;

template <class T>
class GridPool3Emulator : public ::testing::Test {};
TYPED_TEST_SUITE(GridPool3Emulator, KernelTypes, KernelTypeNames);

// Sizes that 3 divides and does not divide, below 3, a single token; channels with and without
// packs, and memory that is not aligned.
template <class Check>
void for_each_case(Check check) {
  for (const auto& [height, width] : {std::pair{3, 3}, {6, 4}, {5, 7}, {2, 1}, {1, 8}, {1, 1}}) {
    for (int channels : {8, 13}) check(Tokens{2, height, width, channels}, 0);
  }
  check(Tokens{1, 4, 3, 264}, 0);  // more than one block
  check(Tokens{2, 4, 4, 8}, 1);
}

TYPED_TEST(GridPool3Emulator, Forward) {
  for_each_case([](const Tokens& t, size_t offset) {
    const auto x = random_numbers<TypeParam>(t.size(), 1);
    Numbers expected(static_cast<size_t>(t.batch) * 9 * t.channels);
    oracle::grid_pool3_links(
        t, [&](size_t cell, size_t token, double weight) { expected[cell] += weight * x[token]; });
    Buffer<TypeParam> from(x, offset), to(expected.size(), offset);
    cuda::launch_grid_pool3(cuda::grid_pool3_params<TypeParam>(from.data(), to.data(), t.batch,
                                                               t.height, t.width, t.channels),
                            emulate);
    expect_near(to, expected, "y");
  });
}

TYPED_TEST(GridPool3Emulator, Backward) {
  for_each_case([](const Tokens& t, size_t offset) {
    const auto grad = random_numbers<TypeParam>(static_cast<size_t>(t.batch) * 9 * t.channels, 2);
    Numbers expected(t.size());
    oracle::grid_pool3_links(t, [&](size_t cell, size_t token, double weight) {
      expected[token] += weight * grad[cell];
    });
    Buffer<TypeParam> from(grad, offset), to(expected.size(), offset);
    cuda::launch_grid_pool3_backward(
        cuda::grid_pool3_params<TypeParam>(from.data(), to.data(), t.batch, t.height, t.width,
                                           t.channels),
        emulate);
    expect_near(to, expected, "grad_x");
  });
}

}  // namespace
}  // namespace wf::testing
