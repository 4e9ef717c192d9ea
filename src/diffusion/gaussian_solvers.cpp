#include "diffusion/gaussian_solvers.h"

#include "diffusion/gaussian_process.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <vector>

namespace wf {
namespace {

// A solver whose step i goes from step `size - 1 - i` of a (respaced) process to the one before.
class StepSolver : public Solver {
 public:
  StepSolver(const ProcessOptions& process, const SolverOptions& options,
             std::vector<int64_t> timesteps)
      : options_(options), process_(process, std::move(timesteps)) {}

  int64_t evaluations() const override { return process_.schedule().size(); }

  at::Tensor sample(const Denoiser& denoise, at::Tensor x, const at::Tensor& labels,
                    const StepNoise& noise,
                    const std::function<void(int64_t)>& on_step) const override {
    const at::NoGradGuard no_grad;
    const auto& schedule = process_.schedule();
    const auto long_type = labels.options().dtype(torch::kLong);
    for (int64_t i = schedule.size() - 1; i >= 0; --i) {
      const auto steps = torch::full({x.size(0)}, i, long_type);
      const auto t =
          torch::full({x.size(0)}, static_cast<double>(schedule.timestep(i)), torch::kFloat);
      const int64_t done = schedule.size() - 1 - i;
      x = step(denoise(x, t, labels), x, steps, i, [&] { return noise(done); });
      if (on_step) on_step(done + 1);
    }
    return x;
  }

 protected:
  // From x at step `i`; `noise` must not be called at step 0.
  virtual at::Tensor step(const at::Tensor& output, const at::Tensor& x, const at::Tensor& steps,
                          int64_t i, const std::function<at::Tensor()>& noise) const = 0;

  SolverOptions options_;
  GaussianProcess process_;
};

class Ddpm : public StepSolver {
 public:
  using StepSolver::StepSolver;

 protected:
  at::Tensor step(const at::Tensor& output, const at::Tensor& x, const at::Tensor& steps, int64_t i,
                  const std::function<at::Tensor()>& noise) const override {
    const auto predicted = process_.predict(output, x, steps, options_.clip);
    if (i == 0) return predicted.mean;
    return predicted.mean + (0.5 * predicted.log_variance).exp() * noise();
  }
};

class Ddim : public StepSolver {
 public:
  using StepSolver::StepSolver;

 protected:
  at::Tensor step(const at::Tensor& output, const at::Tensor& x, const at::Tensor& steps, int64_t i,
                  const std::function<at::Tensor()>& noise) const override {
    const auto& schedule = process_.schedule();
    const auto x0 = process_.predict_x0(output.narrow(1, 0, x.size(1)), x, steps, options_.clip);
    const double abar = schedule.at(NoiseSchedule::kAbar, i);
    const double before = schedule.at(NoiseSchedule::kAbarBefore, i);
    const auto epsilon = (x - std::sqrt(abar) * x0) / std::sqrt(1 - abar);
    const double sigma =
        options_.eta * std::sqrt((1 - before) / (1 - abar)) * std::sqrt(1 - abar / before);
    const auto mean = std::sqrt(before) * x0 + std::sqrt(1 - before - sigma * sigma) * epsilon;
    return i == 0 || sigma == 0 ? mean : mean + sigma * noise();
  }
};

class DpmPlusPlus : public Solver {
 public:
  DpmPlusPlus(const ProcessOptions& process, const SolverOptions& options)
      : options_(options), process_(process) {
    const int64_t last = process.steps - 1;
    for (int64_t i = options.steps; i > 0; --i) {
      steps_.push_back(std::llround(std::nearbyint(static_cast<double>(last) * i / options.steps)));
    }
  }

  int64_t evaluations() const override { return options_.steps; }

  at::Tensor sample(const Denoiser& denoise, at::Tensor x, const at::Tensor& labels,
                    const StepNoise&, const std::function<void(int64_t)>& on_step) const override {
    const at::NoGradGuard no_grad;
    at::Tensor before;  // x0 as the step before predicted it
    for (size_t i = 0; i < steps_.size(); ++i) {
      const auto steps = torch::full({x.size(0)}, steps_[i], labels.options());
      const auto t = torch::full({x.size(0)}, static_cast<double>(steps_[i]), torch::kFloat);
      const auto output = denoise(x, t, labels).narrow(1, 0, x.size(1));
      const auto x0 = process_.predict_x0(output, x, steps, options_.clip);
      x = i + 1 == steps_.size() ? x0 : step(x, x0, before, i);
      before = x0;
      if (on_step) on_step(static_cast<int64_t>(i) + 1);
    }
    return x;
  }

 private:
  double abar(size_t i) const { return process_.schedule().at(NoiseSchedule::kAbar, steps_[i]); }
  // Half the logarithm of the signal-to-noise ratio.
  double lambda(size_t i) const { return 0.5 * std::log(abar(i) / (1 - abar(i))); }

  // From steps_[i] to steps_[i + 1].
  at::Tensor step(const at::Tensor& x, const at::Tensor& x0, const at::Tensor& before,
                  size_t i) const {
    const double h = lambda(i + 1) - lambda(i);
    auto data = x0;
    if (before.defined()) {
      const double ratio = (lambda(i) - lambda(i - 1)) / h;
      data = x0 + (0.5 / ratio) * (x0 - before);
    }
    const double noise = std::sqrt((1 - abar(i + 1)) / (1 - abar(i)));
    return noise * x - std::sqrt(abar(i + 1)) * std::expm1(-h) * data;
  }

  SolverOptions options_;
  GaussianProcess process_;
  std::vector<int64_t> steps_;
};

}  // namespace

std::unique_ptr<Solver> make_ddpm(const ProcessOptions& process, const SolverOptions& options) {
  return std::make_unique<Ddpm>(process, options, spaced_steps(process.steps, options.steps));
}

std::unique_ptr<Solver> make_ddim(const ProcessOptions& process, const SolverOptions& options) {
  const auto steps = options.strided ? strided_steps : spaced_steps;
  return std::make_unique<Ddim>(process, options, steps(process.steps, options.steps));
}

std::unique_ptr<Solver> make_dpmpp_2m(const ProcessOptions& process, const SolverOptions& options) {
  spaced_steps(process.steps, options.steps);  // throws for an invalid number of steps
  return std::make_unique<DpmPlusPlus>(process, options);
}

}  // namespace wf
