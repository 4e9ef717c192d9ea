#include "dist/step_exchange.h"

#include <torch/types.h>

namespace wf {

void StepExchange::begin(bool stop, double own_seconds) {
  // A new tensor each time: a failed operation may still write to the old one.
  values_ = torch::zeros({1 + group_->world()}, torch::kDouble);
  auto* values = values_.data_ptr<double>();
  values[0] = stop ? 1 : 0;
  values[1 + group_->rank()] = own_seconds;
  pending_ = group_->start_sum(values_);
}

StepExchange::Answer StepExchange::finish() {
  pending_.wait();
  const auto* values = values_.data_ptr<double>();
  return {values[0] > 0, {values + 1, values + 1 + group_->world()}};
}

}  // namespace wf
