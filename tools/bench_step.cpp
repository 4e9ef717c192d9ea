#include "weightformer/nn/mixed_precision.h"
#include "weightformer/nn/short_weights.h"
#include "weightformer/optim/optimizer.h"

#include "bench_subject.h"

#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

namespace wf {
namespace {

Phases medians(std::vector<Phases> all) {
  Phases out;
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
  for (const auto part : {&Phases::forward, &Phases::backward, &Phases::rest}) {
    std::nth_element(all.begin(), middle, all.end(),
                     [&](const Phases& a, const Phases& b) { return a.*part < b.*part; });
    out.*part = (*middle).*part;
  }
  return out;
}

void inspect(const BenchOptions& o, const std::function<void()>& step, StepDetails& details) {
  if (!o.trace.empty()) trace_step(o.trace, o.torch_device(), step);
  if (o.traffic) details.traffic = count_traffic(o.torch_device(), step);
  if (o.floor) details.floor = measure_floor(o, step);
}

}  // namespace

Timing time_model(const BenchOptions& o, const BatchWork& work, torch::nn::Module& module,
                  StepDetails& details) {
  const auto device = o.torch_device();
  std::optional<Precision> amp;
  if (o.type() != at::kFloat) amp = Precision(o.type(), o.token_type());
  ShortWeights short_weights;  // as in the trainer
  const auto forward = [&] {
    const MixedPrecision mixed(amp, device.type());
    const ShortWeights::Scope scope(o.mode == "infer" ? nullptr : &short_weights);
    return work.forward();
  };
  if (o.mode == "infer") {
    module.eval();
    const torch::InferenceMode inference;
    const auto timing = time_steps(o, forward);
    inspect(
        o, [&] { forward(); }, details);
    return timing;
  }
  module.train();
  const auto optimizer = make_optimizer({}, param_groups(module, 0.01));
  const auto step = [&](Phases* at) {
    const auto timed = [&](double Phases::*part, const Stopwatch& begin) {
      if (!at) return;
      synchronize(device);
      at->*part = begin.seconds();
    };
    optimizer->zero_grad();
    Stopwatch begin;
    const auto loss = work.loss(forward().to(torch::kFloat));
    timed(&Phases::forward, begin);
    begin.restart();
    loss.backward();
    timed(&Phases::backward, begin);
    begin.restart();
    clip_gradients(optimizer->groups(), grad_norm(optimizer->groups()), 5);
    optimizer->step(1e-4);
    timed(&Phases::rest, begin);
  };
  const auto timing = time_steps(o, [&] { step(nullptr); });
  if (o.phases) {  // in separate steps, as synchronizing with a GPU in between costs time
    std::vector<Phases> all(static_cast<size_t>(o.steps));
    for (auto& one : all) step(&one);
    details.phases = medians(std::move(all));
  }
  inspect(
      o, [&] { step(nullptr); }, details);
  return timing;
}

}  // namespace wf
