#include "diffusion/solver.h"

#include "core/counter_noise.h"
#include "diffusion/guidance.h"
#include "support/errors.h"
#include "support/fill.h"
#include "support/golden.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <set>

namespace wf::testing {
namespace {

constexpr double kSolverTolerance = 1e-5;
constexpr double kDiffusersTolerance = 5e-5;  // its tables are float32

// The denoiser of the golden files.
at::Tensor toy(const at::Tensor& x, const at::Tensor& t, const at::Tensor&) {
  return torch::cat({0.3 * x + 0.001 * t.view({-1, 1, 1, 1}), 0.1 * x.tanh()}, 1);
}
at::Tensor toy_without_variance(const at::Tensor& x, const at::Tensor& t, const at::Tensor&) {
  return 0.3 * x + 0.001 * t.view({-1, 1, 1, 1});
}

at::Tensor no_noise(int64_t) { throw Error("a deterministic solver asked for noise"); }

SolverOptions options(SolverKind kind, int64_t steps) {
  SolverOptions out;
  out.kind = kind;
  out.steps = steps;
  return out;
}

ProcessOptions flow() {
  ProcessOptions out;
  out.kind = ProcessKind::flow;
  return out;
}

at::Tensor start() { return filled("input.x0", {4, 4, 8, 8}); }

at::Tensor run(const ProcessOptions& process, const SolverOptions& solver, const Denoiser& denoise,
               const StepNoise& noise = no_noise, const at::Tensor& x = start()) {
  return make_solver(process, solver)
      ->sample(denoise, x, torch::zeros({x.size(0)}, torch::kLong), noise);
}

// The published code numbers its steps downwards: step i draws input.z{i}.
StepNoise published_noise(int64_t steps) {
  return [steps](int64_t step) {
    return filled("input.z" + std::to_string(steps - 1 - step), {4, 4, 8, 8});
  };
}

TEST(Solver, DdpmAndDdimAreThePublishedOnes) {
  const auto want = golden("diffusion/published.safetensors").tensors;
  expect_close(run({}, options(SolverKind::ddpm, 10), toy, published_noise(10), 0.5 * start()),
               want.at("ddpm10"), kSolverTolerance, "ddpm");
  auto ddim = options(SolverKind::ddim, 10);
  ddim.strided = false;
  for (const auto& [eta, name] : {std::pair{0.0, "ddim10.eta0"}, std::pair{0.5, "ddim10.eta0.5"}}) {
    ddim.eta = eta;
    expect_close(run({}, ddim, toy, published_noise(10), 0.5 * start()), want.at(name),
                 kSolverTolerance, name);
  }
}

TEST(Solver, DdimAndDpmSolverAreThoseOfDiffusers) {
  const auto want = golden("diffusion/schedulers.safetensors").tensors;
  expect_close(run({}, options(SolverKind::ddim, 50), toy), want.at("ddim.50"), kDiffusersTolerance,
               "ddim");
  for (const int64_t steps : {10, 14, 20}) {
    expect_close(run({}, options(SolverKind::dpmpp_2m, steps), toy),
                 want.at("dpmpp_2m." + std::to_string(steps)), kDiffusersTolerance,
                 "dpmpp_2m in " + std::to_string(steps) + " steps");
  }
  ProcessOptions process;
  process.learn_sigma = false;
  for (const auto& [kind, name] :
       {std::pair{PredictionKind::v, "ddim.50.v"}, std::pair{PredictionKind::x0, "ddim.50.x0"}}) {
    process.prediction = kind;
    expect_close(run(process, options(SolverKind::ddim, 50), toy_without_variance), want.at(name),
                 kDiffusersTolerance, name);
  }
}

TEST(Solver, EulerIsThatOfDiffusers) {
  const auto want = golden("diffusion/schedulers.safetensors").tensors;
  for (const auto& [shift, name] :
       {std::pair{1.0, "euler.10.shift1"}, std::pair{0.3, "euler.10.shift0.3"},
        std::pair{3.0, "euler.10.shift3"}}) {
    auto solver = options(SolverKind::euler, 10);
    solver.shift = shift;
    expect_close(run(flow(), solver, toy_without_variance), want.at(name), kDiffusersTolerance,
                 name);
  }
}

// Data x0 = 0 and noise n: x = t n and the velocity is n = x / t, which every solver integrates
// exactly; curvature reveals the second order.
TEST(Solver, HeunIsOfSecondOrder) {
  const auto curved = [](const at::Tensor& x, const at::Tensor& t, const at::Tensor&) {
    return x * (t / 1000).view({-1, 1, 1, 1});  // x(0) = x(1) exp(-1/2)
  };
  const auto error = [&](SolverKind kind, int64_t steps) {
    return relative_error(run(flow(), options(kind, steps), curved), start() * std::exp(-0.5));
  };
  EXPECT_NEAR(error(SolverKind::euler, 20) / error(SolverKind::euler, 40), 2, 0.2);
  EXPECT_NEAR(error(SolverKind::heun, 20) / error(SolverKind::heun, 40), 4, 0.6);
}

// Where the data are standard normal, x at every t is normal with variance (1 - t)^2 + t^2, and the
// best velocity is known: both equations must end in the data's distribution.
TEST(Solver, TheStochasticEquationKeepsTheDistribution) {
  const auto exact = [](const at::Tensor& x, const at::Tensor& t, const at::Tensor&) {
    const auto at = (t / 1000).view({-1, 1, 1, 1});
    return x * (2 * at - 1) / ((1 - at).square() + at.square());
  };
  const auto keys = [](uint64_t stream) { return std::vector<CounterRng>{CounterRng{1, stream}}; };
  const auto noise = [&](int64_t step) {
    return counter_normal(keys(100 + step), {1, 200, 200}, at::kCPU);
  };
  const auto x = counter_normal(keys(0), {1, 200, 200}, at::kCPU);
  for (const auto kind : {SolverKind::heun, SolverKind::sde}) {
    const auto out = run(flow(), options(kind, 200), exact, noise, x);
    EXPECT_NEAR(out.std().item<double>(), 1, 0.03) << static_cast<int>(kind);
    EXPECT_NEAR(out.mean().item<double>(), 0, 0.02) << static_cast<int>(kind);
  }
}

TEST(Solver, ASampleDoesNotDependOnTheOthers) {
  const auto x = start();
  const auto noise_of = [](int64_t first, int64_t count) {
    return [=](int64_t step) {
      std::vector<CounterRng> keys;
      for (int64_t i = first; i < first + count; ++i) {
        keys.push_back(CounterRng{static_cast<uint64_t>(i), static_cast<uint64_t>(step)});
      }
      return counter_normal(keys, {4, 8, 8}, at::kCPU);
    };
  };
  const auto all = run({}, options(SolverKind::ddpm, 10), toy, noise_of(0, 4));
  const auto one = run({}, options(SolverKind::ddpm, 10), toy, noise_of(2, 1), x.narrow(0, 2, 1));
  EXPECT_TRUE(torch::equal(one[0], all[2]));
}

TEST(Solver, CountsItsEvaluationsAndSteps) {
  for (const auto kind : {SolverKind::euler, SolverKind::heun, SolverKind::sde}) {
    int64_t calls = 0, last = 0;
    const auto counting = [&](const at::Tensor& x, const at::Tensor&, const at::Tensor&) {
      ++calls;
      return x;
    };
    const auto solver = make_solver(flow(), options(kind, 7));
    solver->sample(
        counting, start(), torch::zeros({4}, torch::kLong),
        [](int64_t) {
          return torch::zeros({4, 4, 8, 8});
        },
        [&](int64_t done) { last = done; });
    EXPECT_EQ(calls, solver->evaluations());
    EXPECT_EQ(last, 7);
  }
}

// Tensors without data cannot be read: what works on them never waits for a GPU.
TEST(Solver, StepsReadNothingBack) {
  GuidanceOptions interval;
  interval.scale = 2;
  interval.low = 0.3;
  interval.high = 0.7;
  const auto meta = torch::dtype(torch::kFloat).device(torch::kMeta);
  // LibTorch cannot look up the tables of a gaussian process without data.
  for (const auto kind : {SolverKind::euler, SolverKind::heun, SolverKind::sde}) {
    std::set<int64_t> batches;
    const auto denoise = [&](const at::Tensor& x, const at::Tensor& t, const at::Tensor& labels) {
      EXPECT_TRUE(t.is_cpu());
      EXPECT_TRUE(labels.is_meta());
      batches.insert(x.size(0));
      return x * 2;
    };
    const auto y = make_solver(flow(), options(kind, 10))
                       ->sample(guided(denoise, interval), torch::empty({4, 4, 8, 8}, meta),
                                torch::zeros({4}, meta.dtype(torch::kLong)), [&](int64_t) {
                                  return torch::empty({4, 4, 8, 8}, meta);
                                });
    EXPECT_TRUE(y.is_meta());
    EXPECT_EQ(batches, (std::set<int64_t>{4, 8}));  // the interval of guidance was obeyed
  }
}

TEST(Solver, OfAnotherProcessIsRefused) {
  EXPECT_TRUE(
      has(error_of([] { make_solver({}, options(SolverKind::heun, 10)); }),
          "SAMPLE.SAMPLER heun does not match DIFFUSION.PROCESS gaussian: choose one of ddpm, "
          "ddim, dpmpp_2m"));
  EXPECT_TRUE(has(error_of([] { make_solver(flow(), options(SolverKind::ddpm, 10)); }),
                  "choose one of euler, heun, sde"));
}

}  // namespace
}  // namespace wf::testing
