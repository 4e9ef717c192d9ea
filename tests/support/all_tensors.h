// Every tensor of a checkpoint, to compare two runs by.
#pragma once

#include "serialization/tensor_file.h"

#include <string>

namespace wf::testing {

/// The tensors of a file of torch.save by their path: "model.head.weight",
/// "optimizer.state.0.exp_avg".
inline TensorMap all_tensors(const std::string& path) {
  TensorFile file(path);
  TensorMap out;
  const auto visit = [&](const auto& self, const pickle::Value& value,
                         const std::string& at) -> void {
    if (value.is(pickle::Kind::tensor)) out[at] = file.tensor(value);
    if (!value.is(pickle::Kind::dict)) return;
    for (size_t i = 0; i + 1 < value.items.size(); i += 2) {
      self(self, *value.items[i + 1], (at.empty() ? "" : at + ".") + value.items[i]->as_key());
    }
  };
  visit(visit, file.root(), "");
  return out;
}

}  // namespace wf::testing
