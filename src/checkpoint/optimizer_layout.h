// The state of an optimizer in the layout of torch.optim: by the parameter's number, with
// param_groups.
#pragma once

#include "weightformer/optim/lr_schedule.h"
#include "weightformer/optim/optimizer.h"

#include "serialization/tensor_file.h"

#include <string>
#include <vector>

namespace wf {

/// {"state": {0: {"step": …, "exp_avg": …, …}, …}, "param_groups": […]}. `step`: optimizer steps
/// done, which give the learning rate of the groups.
pickle::Value* write_optimizer(TensorTree& tree, const Optimizer& optimizer,
                               const LrScheduleOptions& schedule, int64_t step);

/// The reverse, by the names of optimizer.h's state(). `names`: of the parameters in the order of
/// their indices. A parameter without state gets zeros, as before its first step.
TensorMap read_optimizer(TensorFile& file, const pickle::Value& dict,
                         const std::vector<std::string>& names, const Optimizer& optimizer);

/// The largest step that the optimizer `dict` counts for a parameter, 0 if none.
int64_t counted_steps(TensorFile& file, const pickle::Value& dict);

/// The numbering of DiT, whose optimizer has all parameters in one group, frozen ones too: that of
/// the state dict `weights`.
std::vector<std::string> state_dict_order(const pickle::Value& weights);

/// The numbering of the original trainer: of all `weights`, in the order of the state dict, first
/// those that decay (see optim/param_groups.h), then the others.
std::vector<std::string> published_order(const pickle::Value& weights);

}  // namespace wf
