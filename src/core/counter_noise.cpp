#include "core/counter_noise.h"

#include <ATen/ATen.h>

namespace wf {
namespace {

constexpr double kTwoPi = 6.283185307179586;

int64_t bits(uint64_t value) { return static_cast<int64_t>(value); }

// A logical shift: ATen's is arithmetic.
at::Tensor shifted(const at::Tensor& z, int64_t by) {
  return at::bitwise_right_shift(z, by).bitwise_and_(bits(~uint64_t{0} >> by));
}

// mix64() of every element. Products wrap, as those of uint64_t do.
at::Tensor mixed(at::Tensor z) {
  z = at::bitwise_xor(z, shifted(z, 30)).mul_(bits(0xBF58476D1CE4E5B9ull));
  z = at::bitwise_xor(z, shifted(z, 27)).mul_(bits(0x94D049BB133111EBull));
  return at::bitwise_xor(z, shifted(z, 31));
}

}  // namespace

at::Tensor counter_normal(const std::vector<CounterRng>& keys, at::IntArrayRef sizes,
                          c10::Device device) {
  std::vector<int64_t> shape{static_cast<int64_t>(keys.size())};
  int64_t count = 1;
  for (const auto size : sizes) {
    shape.push_back(size);
    count *= size;
  }
  std::vector<int64_t> states;
  for (const auto& key : keys) states.push_back(bits(key.state()));
  auto host = at::tensor(states, at::kLong);
  // From memory that is not pinned, the copy would wait for the GPU.
  if (device.is_cuda()) host = host.pin_memory();
  const auto state = host.to(device, /*non_blocking=*/true).view({-1, 1});
  // The n-th number of a stream, from 1, is mix64(state + n * step); a normal takes two.
  const auto counter = at::arange(1, count + 1, state.options()).mul_(2);
  const auto uniform = [&](int64_t offset) {
    const auto n = state + (counter + offset) * bits(CounterRng::kStep);
    return shifted(mixed(n), 11).to(at::kDouble).mul_(0x1p-53);
  };
  const auto radius = at::log1p(-uniform(-1)).mul_(-2.0).sqrt_();
  return (radius * at::cos(uniform(0).mul_(kTwoPi))).to(at::kFloat).view(shape);
}

}  // namespace wf
