// What a network costs, before and while it exists.
#pragma once

#include "weightformer/models/model.h"

#include <cstdint>
#include <functional>
#include <string>

namespace wf {

/// Multiply-accumulates (a multiplication with its addition counts once) of the matrix products,
/// convolutions and operators of this project that `forward` runs on this thread.
int64_t count_macs(const std::function<void()>& forward);

struct ModelCost {
  int64_t parameters = 0;  ///< that are trained
  int64_t macs = 0;  ///< of the forward pass over one sample, see count_macs(); 0: not counted

  /// "7,074,184 parameters, 1.12 GMAC per sample"
  std::string show() const;
};

/// The cost of `model`; `forward` runs it over one sample.
ModelCost model_cost(Model& model, const std::function<void()>& forward);

/// Throws wf::Error, before anything is allocated, when the weights of a network of `depth` blocks
/// exceed this machine's memory. `make(n)` makes the same network with n blocks, from which the
/// others are estimated. Leaves the default generator unchanged.
void require_memory_for_depth(int64_t depth,
                              const std::function<std::shared_ptr<Model>(int64_t)>& make);

}  // namespace wf
