#include "diffusion/flow_solvers.h"

#include "diffusion/flow_process.h"
#include "diffusion/timestep_law.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <vector>

namespace wf {
namespace {

// 1 … `end` in `intervals` even intervals, then shifted.
std::vector<double> times(int64_t intervals, double end, double shift) {
  std::vector<double> out;
  for (int64_t i = 0; i <= intervals; ++i) {
    const double t = 1 + (end - 1) * static_cast<double>(i) / static_cast<double>(intervals);
    out.push_back(shifted_time(t, shift));
  }
  return out;
}

class FlowSolver : public Solver {
 public:
  FlowSolver(const SolverOptions& options, std::vector<double> times)
      : options_(options), times_(std::move(times)) {}

  int64_t evaluations() const override { return intervals(); }

  at::Tensor sample(const Denoiser& denoise, at::Tensor x, const at::Tensor& labels,
                    const StepNoise& noise,
                    const std::function<void(int64_t)>& on_step) const override {
    const at::NoGradGuard no_grad;
    const auto velocity = [&](const at::Tensor& at_x, double t) {
      const auto time = torch::full({x.size(0)}, FlowProcess::kModelTime * t, torch::kFloat);
      return denoise(at_x, time, labels);
    };
    for (int64_t i = 0; i < intervals(); ++i) {
      x = step(velocity, x, i, noise);
      if (on_step) on_step(i + 1);
    }
    return x;
  }

 protected:
  using Velocity = std::function<at::Tensor(const at::Tensor&, double)>;
  virtual at::Tensor step(const Velocity& velocity, const at::Tensor& x, int64_t i,
                          const StepNoise& noise) const = 0;
  bool last(int64_t i) const { return i + 1 == intervals(); }
  int64_t intervals() const { return static_cast<int64_t>(times_.size()) - 1; }

  SolverOptions options_;
  std::vector<double> times_;
};

class Euler : public FlowSolver {
 public:
  using FlowSolver::FlowSolver;

 protected:
  at::Tensor step(const Velocity& velocity, const at::Tensor& x, int64_t i,
                  const StepNoise&) const override {
    return x + (times_[i + 1] - times_[i]) * velocity(x, times_[i]);
  }
};

class Heun : public FlowSolver {
 public:
  using FlowSolver::FlowSolver;
  int64_t evaluations() const override { return 2 * intervals() - 1; }

 protected:
  at::Tensor step(const Velocity& velocity, const at::Tensor& x, int64_t i,
                  const StepNoise&) const override {
    const double dt = times_[i + 1] - times_[i];
    const auto first = velocity(x, times_[i]), guess = x + dt * first;
    if (last(i)) return guess;
    return x + dt / 2 * (first + velocity(guess, times_[i + 1]));
  }
};

class EulerMaruyama : public FlowSolver {
 public:
  using FlowSolver::FlowSolver;

 protected:
  at::Tensor step(const Velocity& velocity, const at::Tensor& x, int64_t i,
                  const StepNoise& noise) const override {
    const double t = times_[i], dt = times_[i + 1] - t, diffusion = 2 * t;
    const auto v = velocity(x, t);
    const auto score = ((t - 1) * v - x) / t;  // of the density at t, for the linear path
    const auto mean = x + dt * (v - diffusion / 2 * score);
    return last(i) ? mean : mean + std::sqrt(diffusion * -dt) * noise(i);
  }
};

}  // namespace

std::unique_ptr<Solver> make_euler(const ProcessOptions&, const SolverOptions& options) {
  return std::make_unique<Euler>(options, times(options.steps, 0, options.shift));
}

std::unique_ptr<Solver> make_heun(const ProcessOptions&, const SolverOptions& options) {
  return std::make_unique<Heun>(options, times(options.steps, 0, options.shift));
}

std::unique_ptr<Solver> make_sde(const ProcessOptions&, const SolverOptions& options) {
  auto path = options.steps > 1 ? times(options.steps - 1, options.last_step, options.shift)
                                : std::vector<double>{1};
  path.push_back(0);
  return std::make_unique<EulerMaruyama>(options, std::move(path));
}

}  // namespace wf
