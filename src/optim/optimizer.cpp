#include "weightformer/optim/optimizer.h"

#include "weightformer/core/check.h"

#include <torch/types.h>
#include <torch/utils.h>

namespace wf {
namespace {

// The entries of a group whose parameter has a gradient.
struct Active {
  std::vector<at::Tensor> params, grads;
  std::vector<size_t> indices;

  explicit Active(const ParamGroup& group) {
    for (size_t i = 0; i < group.params.size(); ++i) {
      if (!group.params[i].grad().defined()) continue;
      params.push_back(group.params[i]);
      grads.push_back(group.params[i].grad());
      indices.push_back(i);
    }
  }
  std::vector<at::Tensor> of(const std::vector<at::Tensor>& all) const {
    std::vector<at::Tensor> out;
    for (size_t i : indices) out.push_back(all[i]);
    return out;
  }
};

std::vector<at::Tensor> zeros_like(const std::vector<at::Tensor>& tensors) {
  std::vector<at::Tensor> out;
  for (const auto& tensor : tensors) out.push_back(torch::zeros_like(tensor));
  return out;
}

// Loshchilov and Hutter 2019.
class AdamW : public Optimizer {
 public:
  AdamW(const OptimizerOptions& options, std::vector<ParamGroup> groups)
      : Optimizer(options, std::move(groups)) {
    for (const auto& group : groups_) {
      exp_avg_.push_back(zeros_like(group.params));
      exp_avg_sq_.push_back(zeros_like(group.params));
      step_.emplace_back();
      for (const auto& param : group.params) {
        step_.back().push_back(torch::zeros({}, param.options().dtype(torch::kFloat)));
      }
    }
  }

  void step(double lr, const std::optional<at::Tensor>& found_inf) override {
    update(lr, found_inf);
  }
  void step(const at::Tensor& lr, const std::optional<at::Tensor>& found_inf) override {
    update(lr, found_inf);
  }

  template <typename Rate>
  void update(const Rate& lr, const std::optional<at::Tensor>& found_inf) {
    const torch::NoGradGuard no_grad;
    for (size_t g = 0; g < groups_.size(); ++g) {
      const Active active(groups_[g]);
      if (active.params.empty()) continue;
      const auto steps = active.of(step_[g]);
      at::_foreach_add_(steps, 1);
      at::_fused_adamw_(active.params, active.grads, active.of(exp_avg_[g]),
                        active.of(exp_avg_sq_[g]), /*max_exp_avg_sqs=*/{}, steps,
                        lr * groups_[g].lr_scale, options_.beta1, options_.beta2,
                        groups_[g].weight_decay, options_.eps, /*amsgrad=*/false,
                        /*maximize=*/false, /*grad_scale=*/{}, found_inf);
      // A skipped step does not count.
      if (found_inf) {
        at::_foreach_sub_(steps, std::vector<at::Tensor>(steps.size(), found_inf->squeeze()));
      }
    }
  }

  std::map<std::string, at::Tensor> state() const override {
    std::map<std::string, at::Tensor> out;
    for (size_t g = 0; g < groups_.size(); ++g) {
      for (size_t i = 0; i < groups_[g].names.size(); ++i) {
        const auto& name = groups_[g].names[i];
        out["exp_avg." + name] = exp_avg_[g][i];
        out["exp_avg_sq." + name] = exp_avg_sq_[g][i];
        out["step." + name] = step_[g][i];
      }
    }
    return out;
  }

 private:
  std::vector<std::vector<at::Tensor>> exp_avg_, exp_avg_sq_, step_;  // by group, by parameter
};

class Sgd : public Optimizer {
 public:
  Sgd(const OptimizerOptions& options, std::vector<ParamGroup> groups)
      : Optimizer(options, std::move(groups)) {
    for (const auto& group : groups_) buffers_.push_back(zeros_like(group.params));
  }

  void step(double lr, const std::optional<at::Tensor>& found_inf) override {
    update(lr, found_inf);
  }
  void step(const at::Tensor& lr, const std::optional<at::Tensor>& found_inf) override {
    update(lr, found_inf);
  }

  template <typename Rate>
  void update(const Rate& lr, const std::optional<at::Tensor>& found_inf) {
    const torch::NoGradGuard no_grad;
    for (size_t g = 0; g < groups_.size(); ++g) {
      const Active active(groups_[g]);
      if (active.params.empty()) continue;
      // A zero buffer makes the first step what PyTorch's first step is, momentum * 0 + gradient.
      at::_fused_sgd_(active.params, active.grads, active.of(buffers_[g]), groups_[g].weight_decay,
                      options_.momentum, lr * groups_[g].lr_scale, /*dampening=*/0.0,
                      /*nesterov=*/options_.momentum > 0, /*maximize=*/false,
                      /*is_first_step=*/false,
                      /*grad_scale=*/{}, found_inf);
    }
  }

  std::map<std::string, at::Tensor> state() const override {
    std::map<std::string, at::Tensor> out;
    for (size_t g = 0; g < groups_.size(); ++g) {
      for (size_t i = 0; i < groups_[g].names.size(); ++i) {
        out["momentum_buffer." + groups_[g].names[i]] = buffers_[g][i];
      }
    }
    return out;
  }

 private:
  std::vector<std::vector<at::Tensor>> buffers_;
};

}  // namespace

void Optimizer::zero_grad() {
  for (auto& group : groups_) {
    for (auto& param : group.params) param.mutable_grad().reset();
  }
}

void Optimizer::load_state(const std::map<std::string, at::Tensor>& state,
                           const std::string& source) {
  const auto own = this->state();
  WF_CHECK(own.size() == state.size(), source, ": holds ", state.size(),
           " optimizer tensors, this run has ", own.size(),
           " (another optimizer or model? --pretrained loads only the weights)");
  for (const auto& [name, tensor] : own) {
    const auto found = state.find(name);
    WF_CHECK(found != state.end(), source, ": no optimizer state ", name);
    WF_CHECK(found->second.sizes() == tensor.sizes(), source, ": optimizer state ", name, " is ",
             found->second.sizes(), ", expected ", tensor.sizes());
  }
  const torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : own) at::Tensor(tensor).copy_(state.at(name));
}

std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options,
                                          std::vector<ParamGroup> groups) {
  switch (options.kind) {
    case OptimizerKind::adamw:
      return std::make_unique<AdamW>(options, std::move(groups));
    case OptimizerKind::sgd:
      return std::make_unique<Sgd>(options, std::move(groups));
  }
  throw Error("unknown optimizer");
}

at::Tensor grad_norm(const std::vector<ParamGroup>& groups) {
  const torch::NoGradGuard no_grad;
  const auto gradients = all_gradients(groups);
  if (gradients.empty()) return torch::zeros({});
  return at::linalg_vector_norm(at::stack(at::_foreach_norm(gradients, 2)), 2);
}

at::Tensor not_finite(const at::Tensor& norm) {
  return norm.isfinite().logical_not().to(torch::kFloat).view({1});
}

void clip_gradients(const std::vector<ParamGroup>& groups, const at::Tensor& norm,
                    double max_norm) {
  const torch::NoGradGuard no_grad;
  const auto gradients = all_gradients(groups);
  if (gradients.empty() || max_norm <= 0) return;
  // PyTorch's clip_grad_norm_ divides by norm + 1e-6; the same here, for the same numbers.
  at::_foreach_mul_(gradients, (max_norm / (norm + 1e-6)).clamp_max(1.0));
}

}  // namespace wf
