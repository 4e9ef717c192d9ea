#pragma once

#include "weightformer/config/enums.h"
#include "weightformer/optim/param_groups.h"

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace wf {

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::adamw;
  double eps = 1e-8;      ///< adamw
  double beta1 = 0.9;     ///< adamw
  double beta2 = 0.999;   ///< adamw
  double momentum = 0.9;  ///< sgd: Nesterov momentum, as in the reference implementation
};

/// An optimizer whose state is keyed by parameter name. Uses PyTorch's fused kernels.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  /// Updates all parameters that have a gradient. Skips the update when `found_inf` ([1] float32,
  /// from GradScaler::unscale) is 1.
  virtual void step(double lr, const std::optional<at::Tensor>& found_inf = {}) = 0;

  /// The same with the rate as a scalar on the device of the parameters, float32 on a GPU, where it
  /// is not read back.
  virtual void step(const at::Tensor& lr, const std::optional<at::Tensor>& found_inf = {}) = 0;

  /// Sets all gradients to "none".
  void zero_grad();

  /// The state to save, by name: "exp_avg.head.weight". The tensors share memory with the
  /// optimizer.
  virtual std::map<std::string, at::Tensor> state() const = 0;
  /// Copies `state` in; throws wf::Error when a name or a shape differs.
  void load_state(const std::map<std::string, at::Tensor>& state, const std::string& source);

  const OptimizerOptions& options() const { return options_; }
  const std::vector<ParamGroup>& groups() const { return groups_; }

 protected:
  Optimizer(const OptimizerOptions& options, std::vector<ParamGroup> groups)
      : options_(options), groups_(std::move(groups)) {}
  OptimizerOptions options_;
  std::vector<ParamGroup> groups_;
};

std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options,
                                          std::vector<ParamGroup> groups);

/// The L2 norm of all gradients, a scalar on their device; does not synchronize.
at::Tensor grad_norm(const std::vector<ParamGroup>& groups);

/// `found_inf` of Optimizer::step(): [1] float32, 1 where `norm` is not finite, else 0; does not
/// synchronize.
at::Tensor not_finite(const at::Tensor& norm);

/// Scales all gradients in place so that their norm, currently `norm`, is at most `max_norm` (0: no
/// clipping).
void clip_gradients(const std::vector<ParamGroup>& groups, const at::Tensor& norm, double max_norm);

}  // namespace wf
