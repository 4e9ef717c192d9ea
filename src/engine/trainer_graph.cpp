// The step of a Trainer as a CUDA graph: all that it computes on the device, with learning rate,
// weights of EMAs and random draws as values on the device.

#include "weightformer/engine/trainer.h"
#include "weightformer/nn/mixed_precision.h"

#include "core/device_graph.h"
#include "engine/distributed.h"
#include "runtime/log.h"

#include <torch/nn/module.h>
#include <torch/types.h>

namespace wf {

// Empty: steps can be recorded.
std::string Trainer::why_no_graph() const {
  if (!make_device_graph(options_.device)) return "the device has no graphs";
  if (options_.distributed->world() > 1) return "several ranks exchange gradients";
  if (options_.accumulation_steps > 1) return "TRAIN.ACCUMULATION_STEPS is above 1";
  if (checks_every_step()) return "every step is checked on the host";
  return "";
}

void Trainer::make_graph() {
  const auto reason = why_no_graph();
  if (!reason.empty()) {
    log::info("TRAIN.CUDA_GRAPH: steps are not recorded, since {}", reason);
    return;
  }
  GraphedOptions graphed;
  graphed.trains = true;
  graphed.generators = {generator_};
  graph_ = std::make_unique<GraphedFunction>(
      [this](const std::vector<at::Tensor>& inputs) { return step_on_device(inputs); }, graphed);
}

// `inputs`: those of the task; the learning rate; for each EMA how much of the weights it takes.
// Returns gradient norm, whether the step was skipped, and the results of the task.
std::vector<at::Tensor> Trainer::step_on_device(const std::vector<at::Tensor>& inputs) {
  const size_t own = inputs.size() - state_.emas.size() - 1;
  state_.optimizer->zero_grad();
  std::vector<at::Tensor> found;
  {
    const MixedPrecision mixed(options_.amp, options_.device.type());
    const ShortWeights::Scope weights(&short_weights_, /*all=*/true);
    found = task_.losses({inputs.begin(), inputs.begin() + static_cast<std::ptrdiff_t>(own)});
  }
  const auto& scaler = state_.scaler;
  (scaler ? scaler->scale(found.at(0)) : found.at(0)).backward();
  const auto& groups = state_.optimizer->groups();
  std::optional<at::Tensor> found_inf;
  if (scaler) found_inf = scaler->unscale(groups);
  const auto norm = grad_norm(groups);
  if (!found_inf) found_inf = not_finite(norm);
  clip_gradients(groups, norm, options_.clip_grad);
  state_.optimizer->step(inputs.at(own), found_inf);
  if (scaler) scaler->update(*found_inf);
  for (size_t i = 0; i < state_.emas.size(); ++i) {
    state_.emas[i]->update(inputs.at(own + 1 + i));
  }
  std::vector<at::Tensor> out{norm, *found_inf};
  for (const auto& t : found) out.push_back(t.detach());
  return out;
}

// False where the task has no step of this kind.
bool Trainer::graphed_step(Step& step, const Batch& batch, int64_t micro_batch) {
  const StepRng rng(options_.seed, static_cast<uint64_t>(micro_batch), generator_);
  auto inputs = task_.prepare(batch, rng);
  if (!inputs) {
    log::info("TRAIN.CUDA_GRAPH: steps are not recorded, since the task has no such steps");
    graph_.reset();
    return false;
  }
  // As the optimizers' kernels take them.
  const auto number = torch::dtype(options_.device.is_cpu() ? torch::kDouble : torch::kFloat)
                          .device(options_.device);
  inputs->push_back(torch::full({}, step.lr, number));
  for (const auto& ema : state_.emas) {
    inputs->push_back(torch::full({}, ema->weight(state_.progress.step + 1), number));
  }
  const auto out = (*graph_)(*inputs);
  step.grad_norm = out.at(0);
  step.loss = out.at(2);
  step.samples = batch.size();
  task_.note({out.begin() + 2, out.end()});
  require_finite(step);
  if (!state_.scaler) skipped_ = skipped_.defined() ? skipped_ + out[1] : out[1];
  options_.distributed->end_step();
  task_.after_step(*options_.distributed);
  return true;
}

}  // namespace wf
