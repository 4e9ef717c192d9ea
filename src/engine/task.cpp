#include "weightformer/engine/task.h"

#include "weightformer/core/check.h"

namespace wf {

at::Tensor Task::loss(const Batch& batch, const StepRng& rng) {
  const auto inputs = prepare(batch, rng);
  WF_CHECK(inputs, "a task needs loss(), or prepare() and losses()");
  const auto found = losses(*inputs);
  std::vector<at::Tensor> seen;
  for (const auto& t : found) seen.push_back(t.detach());
  note(seen);
  return found.at(0);
}

}  // namespace wf
