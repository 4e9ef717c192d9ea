#include "emulator/kernel_test.h"
#include "kernels/cuda/token_pool_kernel.cuh"

namespace wf::testing {
namespace {

// link(cell index, token index, weight) for every pair.
template <class Link>
void token_pool_links(const Tokens& t, Link link) {
  const Tokens cells{t.batch, t.height / 2, t.width / 2, t.channels};
  for_each_token(cells, [&](int b, int row, int column, int c) {
    for (int i = 0; i < 4; ++i) {
      link(cells(b, row, column, c), t(b, 2 * row + i / 2, 2 * column + i % 2, c), 0.25);
    }
  });
}

template <class T>
class TokenPoolEmulator : public ::testing::Test {};
TYPED_TEST_SUITE(TokenPoolEmulator, KernelTypes, KernelTypeNames);

// Odd and even, a single row, column or token; channels with and without packs, and memory that is
// not aligned.
template <class Check>
void for_each_case(Check check) {
  for (const auto& [height, width] : {std::pair{2, 2}, {3, 5}, {4, 6}, {7, 2}, {1, 4}, {1, 1}}) {
    for (int channels : {8, 13}) check(Tokens{2, height, width, channels}, 0);
  }
  check(Tokens{1, 3, 3, 264}, 0);  // more than one block
  check(Tokens{2, 4, 4, 8}, 1);
}

TYPED_TEST(TokenPoolEmulator, Forward) {
  for_each_case([](const Tokens& t, size_t offset) {
    const auto x = random_numbers<TypeParam>(t.size(), 1);
    Numbers expected(static_cast<size_t>(t.batch) * (t.height / 2) * (t.width / 2) * t.channels);
    if (expected.empty()) return;  // no entry launches for nothing
    token_pool_links(
        t, [&](size_t cell, size_t token, double weight) { expected[cell] += weight * x[token]; });
    Buffer<TypeParam> from(x, offset), to(expected.size(), offset);
    cuda::launch_token_pool<TypeParam>(
        {from.data(), to.data(), t.batch, t.height, t.width, t.channels}, emulate);
    expect_near(to, expected, "y");
  });
}

TYPED_TEST(TokenPoolEmulator, Backward) {
  for_each_case([](const Tokens& t, size_t offset) {
    const auto grad = random_numbers<TypeParam>(
        static_cast<size_t>(t.batch) * (t.height / 2) * (t.width / 2) * t.channels, 2);
    Numbers expected(t.size());
    token_pool_links(t, [&](size_t cell, size_t token, double weight) {
      expected[token] += weight * grad[cell];
    });
    Buffer<TypeParam> from(grad, offset), to(expected.size(), offset);
    cuda::launch_token_pool_backward<TypeParam>(
        {from.data(), to.data(), t.batch, t.height, t.width, t.channels}, emulate);
    expect_near(to, expected, "grad_x");
  });
}

TEST(Pack, IsWideOnlyWhereChannelsAndPointersAllowIt) {
  alignas(16) char memory[32];
  const auto chosen = [](int64_t channels, std::initializer_list<const void*> pointers) {
    int size = 0;
    cuda::with_pack<4>(channels, pointers, [&](auto n) { size = n.value; });
    return size;
  };
  EXPECT_EQ(chosen(12, {memory, memory + 16, nullptr}), 4);
  EXPECT_EQ(chosen(13, {memory}), 1);
  EXPECT_EQ(chosen(12, {memory, memory + 8}), 1);
}

}  // namespace
}  // namespace wf::testing
