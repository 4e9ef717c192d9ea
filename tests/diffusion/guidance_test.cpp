#include "diffusion/guidance.h"

#include "diffusion/process.h"
#include "support/fill.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <vector>

namespace wf::testing {
namespace {

constexpr int64_t kNone = 10;

// A denoiser that depends on x, t and label, and counts its input rows.
struct Toy {
  std::vector<int64_t> rows;
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& t, const at::Tensor& y) {
    rows.push_back(x.size(0));
    const auto at = [](const at::Tensor& v) { return v.to(torch::kFloat).view({-1, 1, 1, 1}); };
    const auto out = 0.3 * x + 0.001 * at(t) + 0.1 * at(y);
    return torch::cat({out, out.tanh()}, 1);
  }
};

GuidanceOptions options(double scale) {
  GuidanceOptions out;
  out.scale = scale;
  out.data_channels = 4;
  out.null_class = kNone;
  return out;
}

// On in the middle half of the process.
GuidanceOptions middle_half() {
  auto out = options(2);
  out.low = 0.25;
  out.high = 0.75;
  return out;
}

struct GuidedInputs {
  at::Tensor x = filled("input.x", {3, 4, 8, 8});
  at::Tensor t = torch::full({3}, 500.0);
  at::Tensor y = torch::tensor({1, 5, 9});
};

// By hand, in the given number of channels.
at::Tensor mixed(const GuidedInputs& in, double scale, int64_t channels) {
  Toy toy;
  const auto with = toy(in.x, in.t, in.y);
  const auto without = toy(in.x, in.t, torch::full_like(in.y, kNone));
  auto out = with.clone();
  out.narrow(1, 0, channels).copy_((without + scale * (with - without)).narrow(1, 0, channels));
  return out;
}

TEST(Guidance, MixesTheFirstThreeChannelsOrAll) {
  const GuidedInputs in;
  auto three = options(4), all = options(4);
  all.channels = GuidedChannels::all;
  EXPECT_TRUE(torch::allclose(guided(Toy{}, three)(in.x, in.t, in.y), mixed(in, 4, 3)));
  EXPECT_TRUE(torch::allclose(guided(Toy{}, all)(in.x, in.t, in.y), mixed(in, 4, 4)));
}

TEST(Guidance, OfScaleOneComputesOnlyTheConditionalHalf) {
  const GuidedInputs in;
  Toy toy;
  const auto out = guided(std::ref(toy), options(1))(in.x, in.t, in.y);
  EXPECT_EQ(toy.rows, std::vector<int64_t>{3});
  EXPECT_TRUE(torch::equal(out, Toy{}(in.x, in.t, in.y)));
}

TEST(Guidance, ComputesOnlyTheConditionalHalfOutsideItsInterval) {
  GuidedInputs in;
  Toy toy;
  const auto interval = middle_half();
  const auto denoise = guided(std::ref(toy), interval);
  for (const double t : {900.0, 750.0, 500.0, 250.0, 100.0}) {
    in.t.fill_(t);
    const bool on = t >= 250 && t <= 750;
    EXPECT_TRUE(torch::allclose(denoise(in.x, in.t, in.y), mixed(in, on ? 2 : 1, 3))) << t;
  }
  EXPECT_EQ(toy.rows, (std::vector<int64_t>{3, 6, 6, 6, 3}));
}

TEST(Guidance, MeasuresItsIntervalInFractionsOfTheProcess) {
  GuidedInputs in;
  Toy toy;
  auto interval = middle_half();
  ProcessOptions process;
  process.steps = 200;
  interval.noise_time = noise_time(process);
  const auto denoise = guided(std::ref(toy), interval);
  for (const double t : {199.0, 150.0, 100.0, 50.0, 49.0}) {
    in.t.fill_(t);
    denoise(in.x, in.t, in.y);
  }
  EXPECT_EQ(toy.rows, (std::vector<int64_t>{3, 6, 6, 6, 3}));
  process.kind = ProcessKind::flow;
  EXPECT_EQ(noise_time(process), 1000);
}

TEST(Guidance, OfGrayImagesHasOneChannel) {
  GuidedInputs in;
  in.x = filled("input.x", {3, 1, 8, 8});
  auto one = options(2);
  one.data_channels = 1;
  EXPECT_TRUE(torch::allclose(guided(Toy{}, one)(in.x, in.t, in.y), mixed(in, 2, 1)));
}

}  // namespace
}  // namespace wf::testing
