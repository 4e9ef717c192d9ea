#include "emulator/kernel_test.h"
#include "kernels/cuda/grid_pool3_kernel.cuh"

namespace wf::testing {
namespace {

// link(cell index, token index, weight) for every pair.
template <class Link>
void grid_pool3_links(const Tokens& t, Link link) {
  const Tokens cells{t.batch, 3, 3, t.channels};
  const auto begin = [](int i, int size) { return static_cast<int>(std::floor(i * size / 3.0)); };
  const auto end = [](int i, int size) {
    return static_cast<int>(std::ceil((i + 1) * size / 3.0));
  };
  for_each_token(cells, [&](int b, int row, int column, int c) {
    const int top = begin(row, t.height), bottom = end(row, t.height);
    const int left = begin(column, t.width), right = end(column, t.width);
    for (int y = top; y < bottom; ++y) {
      for (int x = left; x < right; ++x) {
        link(cells(b, row, column, c), t(b, y, x, c), 1.0 / ((bottom - top) * (right - left)));
      }
    }
  });
}

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
    grid_pool3_links(
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
    grid_pool3_links(t, [&](size_t cell, size_t token, double weight) {
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
