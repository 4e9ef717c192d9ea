#include "diffusion/timestep_law.h"

#include "weightformer/core/check.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace wf {
namespace {

constexpr double kLast = 1 - 0x1p-53;  // the largest number below 1

// Times whose density is known beforehand: uniform, or the sigmoid of a normal (which of a
// lognormal noise level s is s / (1 + s)).
class FixedLaw : public TimestepLaw {
 public:
  explicit FixedLaw(const TimestepLawOptions& options) : options_(options) {}

  TimestepDraw draw(CounterRng rng) const override {
    const double u = options_.kind == TimestepLawKind::uniform
                         ? rng.uniform()
                         : 1 / (1 + std::exp(-(options_.mean + options_.std * rng.normal())));
    return {std::clamp(shifted_time(u, options_.shift), 0.0, kLast), 1};
  }
  void update(const at::Tensor&, const at::Tensor&) override {}

 private:
  TimestepLawOptions options_;
};

// Importance sampling by the second moment of the loss (Nichol and Dhariwal 2021, section 3.3;
// LossSecondMomentResampler in DiT's timestep_sampler.py).
class LossAwareLaw : public TimestepLaw {
 public:
  explicit LossAwareLaw(int64_t steps)
      : steps_(steps), history_(torch::zeros({steps, kKept + 1}, torch::kDouble)) {}

  TimestepDraw draw(CounterRng rng) const override {
    refresh();
    const double at = rng.uniform() * cumulative_.back();
    const auto found = std::upper_bound(cumulative_.begin(), cumulative_.end(), at);
    const auto step = std::min<int64_t>(found - cumulative_.begin(), steps_ - 1);
    const double probability =
        (cumulative_[step] - (step ? cumulative_[step - 1] : 0)) / cumulative_.back();
    const auto count = static_cast<double>(steps_);
    return {(static_cast<double>(step) + 0.5) / count, 1 / (count * probability)};
  }

  void update(const at::Tensor& u, const at::Tensor& losses) override {
    const auto times = u.accessor<double, 1>(), values = losses.accessor<double, 1>();
    auto rows = history_.accessor<double, 2>();
    for (int64_t i = 0; i < u.size(0); ++i) {
      const auto step = static_cast<int64_t>(times[i] * static_cast<double>(steps_));
      auto row = rows[step];
      auto count = static_cast<int64_t>(row[kKept]);
      if (count == kKept) {
        for (int64_t k = 1; k < kKept; ++k) row[k - 1] = row[k];
        --count;
      }
      row[count] = values[i];
      row[kKept] = static_cast<double>(count + 1);
    }
    known_version_ = -1;
  }
  bool learns() const override { return true; }
  at::Tensor history() const override { return history_; }

 private:
  static constexpr int64_t kKept = 10;
  static constexpr double kUniform = 0.001;  // fraction of uniform times

  // Resuming a run writes the history from outside.
  void refresh() const {
    const auto version = static_cast<int64_t>(history_._version());
    if (version == known_version_) return;
    known_version_ = version;
    const auto rows = history_.accessor<double, 2>();
    std::vector<double> weights(steps_, 1);
    bool warm = true;
    for (int64_t i = 0; i < steps_; ++i) warm = warm && rows[i][kKept] == kKept;
    for (int64_t i = 0; warm && i < steps_; ++i) {
      double sum = 0;
      for (int64_t k = 0; k < kKept; ++k) sum += rows[i][k] * rows[i][k];
      weights[i] = std::sqrt(sum / kKept);
    }
    double total = 0;
    for (const double weight : weights) total += weight;
    cumulative_.clear();
    double sum = 0;
    for (const double weight : weights) {
      sum += (1 - kUniform) * weight / total + kUniform / static_cast<double>(steps_);
      cumulative_.push_back(sum);
    }
  }

  int64_t steps_;
  at::Tensor history_;
  mutable int64_t known_version_ = -1;
  mutable std::vector<double> cumulative_;
};

}  // namespace

std::unique_ptr<TimestepLaw> make_timestep_law(const TimestepLawOptions& options) {
  if (options.kind == TimestepLawKind::loss_aware) {
    return std::make_unique<LossAwareLaw>(options.steps);
  }
  return std::make_unique<FixedLaw>(options);
}

}  // namespace wf
