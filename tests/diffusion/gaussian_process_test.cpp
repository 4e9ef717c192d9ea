// golden/diffusion/published.safetensors holds results of the published DiT code (linear betas,
// 1000 steps, learned variance); golden/diffusion/schedulers.safetensors those of diffusers'
// schedulers (tests/golden/make_diffusion_golden.py).
#include "diffusion/gaussian_process.h"

#include "weightformer/config/enums.h"

#include "core/checksum.h"
#include "support/errors.h"
#include "support/fill.h"
#include "support/golden.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

namespace wf::testing {
namespace {

constexpr double kTolerance = 1e-5;

const TensorMap& published() {
  static const auto file = golden("diffusion/published.safetensors");
  return file.tensors;
}

const TensorMap& diffusers() {
  static const auto file = golden("diffusion/schedulers.safetensors");
  return file.tensors;
}

at::Tensor tensor_of(const std::vector<double>& values) {
  return torch::tensor(values, torch::kDouble);
}

struct Inputs {
  at::Tensor x0 = 0.5 * filled("input.x0", {4, 4, 8, 8});
  at::Tensor noise = filled("input.noise", {4, 4, 8, 8});
  at::Tensor output = 0.7 * filled("input.model_out", {4, 8, 8, 8});
  at::Tensor steps = torch::tensor({0, 1, 500, 999}, torch::kLong);
  at::Tensor labels = torch::zeros({4}, torch::kLong);
};

TEST(NoiseSchedule, IsThePublishedOne) {
  const auto betas = make_betas(BetaKind::linear, 1000);
  EXPECT_TRUE(torch::allclose(tensor_of(betas), published().at("betas"), 1e-12, 0));
  const GaussianProcess process({});
  std::vector<double> abar, log_variance;
  for (int64_t i = 0; i < 1000; ++i) {
    abar.push_back(process.schedule().at(NoiseSchedule::kAbar, i));
    log_variance.push_back(process.schedule().at(NoiseSchedule::kPosteriorLog, i));
  }
  EXPECT_TRUE(torch::allclose(tensor_of(abar), published().at("alphas_cumprod"), 1e-12, 0));
  EXPECT_TRUE(torch::allclose(tensor_of(log_variance),
                              published().at("posterior_log_variance_clipped"), 1e-9, 0));
}

TEST(NoiseSchedule, RespacesAsPublished) {
  for (const int64_t count : {10, 250}) {
    const auto name = "respaced." + std::to_string(count);
    const auto steps = spaced_steps(1000, count);
    EXPECT_TRUE(
        torch::equal(torch::tensor(steps, torch::kLong), published().at(name + ".timesteps")));
    const NoiseSchedule schedule(make_betas(BetaKind::linear, 1000), steps);
    std::vector<double> betas;
    for (int64_t i = 0; i < count; ++i) betas.push_back(schedule.at(NoiseSchedule::kBeta, i));
    EXPECT_TRUE(torch::allclose(tensor_of(betas), published().at(name + ".betas"), 1e-9, 0));
  }
}

TEST(NoiseSchedule, KeepsFirstAndLastStepAndNeverOneTwice) {
  for (int64_t count = 2; count <= 1000; ++count) {
    const auto steps = spaced_steps(1000, count);
    ASSERT_EQ(static_cast<int64_t>(steps.size()), count);
    EXPECT_EQ(steps.front(), 0);
    EXPECT_EQ(steps.back(), 999);
    for (size_t i = 1; i < steps.size(); ++i) ASSERT_LT(steps[i - 1], steps[i]) << count;
  }
}

TEST(NoiseSchedule, SpacesEveryNumberOfStepsAsPublished) {
  uint32_t digest = 0;
  for (int64_t count = 2; count <= 1000; ++count) {
    const auto steps = spaced_steps(1000, count);
    digest = checksum({reinterpret_cast<const char*>(steps.data()), steps.size() * 8}, digest);
  }
  EXPECT_EQ(digest, about(golden("diffusion/schedulers.safetensors"))["spaced_steps"]);
}

TEST(NoiseSchedule, CosineIsThatOfDiffusers) {
  const auto betas = tensor_of(make_betas(BetaKind::cosine, 1000));
  const auto want = diffusers().at("cosine.betas");  // float32
  EXPECT_TRUE(torch::allclose(betas, want.to(torch::kDouble), 1e-5, 1e-7));
}

TEST(NoiseSchedule, RoundsHalvesToEvenAsPythonDoes) {
  // 999 / 2 = 499.5 is between two steps.
  EXPECT_EQ(spaced_steps(1000, 3)[1], 500);
  EXPECT_EQ(spaced_steps(8, 3)[1], 4);  // 3.5
  EXPECT_EQ(spaced_steps(6, 3)[1], 2);  // 2.5
}

TEST(NoiseSchedule, TakesIntegerStridesOnlyForDdim) {
  EXPECT_EQ(strided_steps(1000, 50).back(), 980);
  EXPECT_EQ(strided_steps(1000, 50)[1], 20);
  EXPECT_NE(error_of([] { strided_steps(1000, 999); }).find("no n gives 999"), std::string::npos);
  EXPECT_NE(error_of([] { make_betas(BetaKind::linear, 20); }).find("fewer than 21 steps"),
            std::string::npos);
  EXPECT_NE(error_of([] { spaced_steps(1000, 1001); }).find("cannot be sampled in 1001"),
            std::string::npos);
}

TEST(GaussianProcess, AddsNoiseAsPublished) {
  const Inputs in;
  const GaussianProcess process({});
  expect_close(process.add_noise(in.x0, in.noise, in.steps), published().at("q_sample"), kTolerance,
               "q_sample");
}

TEST(GaussianProcess, LossesAreThePublishedOnes) {
  const Inputs in;
  const auto process = make_process({});
  const auto denoise = [&](const at::Tensor&, const at::Tensor&, const at::Tensor&) {
    return in.output;
  };
  const auto loss = process->loss(denoise, in.x0, in.noise, in.steps.to(torch::kFloat), in.labels);
  for (int64_t i = 0; i < 4; ++i) {
    const auto at = "t = " + std::to_string(in.steps[i].item<int64_t>());
    expect_close(loss.mse[i], published().at("loss.mse")[i], kTolerance, "mse at " + at);
    expect_close(loss.bound[i], published().at("loss.vb")[i], kTolerance, "bound at " + at);
    expect_close(loss.total[i], published().at("loss.loss")[i], kTolerance, "loss at " + at);
  }
}

TEST(GaussianProcess, PredictsAsPublished) {
  const Inputs in;
  const GaussianProcess process({});
  const auto x = in.x0;  // the golden file has no noise added here
  for (const bool clip : {false, true}) {
    const auto out = process.predict(in.output, x, in.steps, clip);
    const std::string name = clip ? "p_mean_variance.clip1." : "p_mean_variance.clip0.";
    expect_close(out.mean, published().at(name + "mean"), kTolerance, name + "mean");
    expect_close(out.x0, published().at(name + "pred_xstart"), kTolerance, name + "x0");
    expect_close(out.log_variance, published().at(name + "log_variance"), kTolerance,
                 name + "log_variance");
    expect_close(out.log_variance.exp(), published().at(name + "variance"), kTolerance,
                 name + "variance");
  }
}

TEST(GaussianProcess, TheBoundTrainsOnlyTheVariance) {
  const Inputs in;
  const auto output = in.output.clone().requires_grad_();
  const auto denoise = [&](const at::Tensor&, const at::Tensor&, const at::Tensor&) {
    return output;
  };
  make_process({})
      ->loss(denoise, in.x0, in.noise, in.steps.to(torch::kFloat), in.labels)
      .bound.sum()
      .backward();
  EXPECT_EQ(output.grad().narrow(1, 0, 4).abs().max().item<double>(), 0);
  EXPECT_GT(output.grad().narrow(1, 4, 4).abs().max().item<double>(), 0);
}

TEST(GaussianProcess, WeighsByMinSnrAsDiffusersDoes) {
  const Inputs in;
  const auto denoise = [&](const at::Tensor& x, const at::Tensor&, const at::Tensor&) {
    return torch::zeros_like(x);
  };
  for (const auto kind : {PredictionKind::epsilon, PredictionKind::v, PredictionKind::x0}) {
    ProcessOptions options;
    options.prediction = kind;
    options.learn_sigma = false;
    const auto t = in.steps.to(torch::kFloat);
    const auto plain = make_process(options)->loss(denoise, in.x0, in.noise, t, in.labels).mse;
    options.min_snr_gamma = 5;
    const auto weighted = make_process(options)->loss(denoise, in.x0, in.noise, t, in.labels).mse;
    const std::string name = name_of(kind);
    expect_close(weighted / plain, diffusers().at("min_snr." + name), kTolerance, name);
  }
}

TEST(GaussianProcess, TheTargetOfVIsTheVelocityOfDiffusers) {
  const Inputs in;
  ProcessOptions options;
  options.prediction = PredictionKind::v;
  options.learn_sigma = false;
  const auto denoise = [&](const at::Tensor&, const at::Tensor&, const at::Tensor&) {
    return diffusers().at("velocity");
  };
  const auto loss =
      make_process(options)->loss(denoise, in.x0, in.noise, in.steps.to(torch::kFloat), in.labels);
  EXPECT_LT(loss.total.max().item<double>(), 1e-10);
}

TEST(GaussianProcess, EveryPredictionFindsTheDataBehindItsOwnTarget) {
  const Inputs in;
  for (const auto kind : {PredictionKind::epsilon, PredictionKind::v, PredictionKind::x0}) {
    ProcessOptions options;
    options.prediction = kind;
    options.learn_sigma = false;
    const GaussianProcess process(options);
    // The loss of a network that answers with x0, epsilon or v exactly is zero; the loss at a
    // perfect prediction shows which of them is expected.
    const auto x = process.add_noise(in.x0, in.noise, in.steps);
    at::Tensor answer = in.x0;
    if (kind == PredictionKind::epsilon) answer = in.noise;
    if (kind == PredictionKind::v) {
      const auto& schedule = process.schedule();
      answer = schedule.at(NoiseSchedule::kSqrtAbar, in.steps) * in.noise -
               schedule.at(NoiseSchedule::kSqrtOneMinusAbar, in.steps) * in.x0;
    }
    const auto denoise = [&](const at::Tensor&, const at::Tensor&, const at::Tensor&) {
      return answer;
    };
    const auto loss = process.loss(denoise, in.x0, in.noise, in.steps.to(torch::kFloat), in.labels);
    EXPECT_LT(loss.total.abs().max().item<double>(), 1e-10) << static_cast<int>(kind);
    // At the last step epsilon contains hardly any information about the data.
    expect_close(process.predict_x0(answer, x, in.steps, false).narrow(0, 0, 3),
                 in.x0.narrow(0, 0, 3), 1e-4, "x0");
  }
}

}  // namespace
}  // namespace wf::testing
