#include "bench_passes.h"

#include "weightformer/nn/short_weights.h"

#include "bench_subject.h"
#include "core/drop_data.h"

#include <ATen/core/grad_mode.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace wf {

Passes count_passes(BenchOptions o, int64_t depth) {
  o.depth = depth;
  const auto subject = make_subject(o);
  const auto device = o.torch_device();
  for (const auto& parameter : subject.module->parameters()) drop_data(parameter);
  const auto work = subject.work(o.size ? o.size : subject.size);
  std::optional<Precision> precision;
  if (o.type() != at::kFloat) precision = Precision(o.type(), o.token_type());
  ShortWeights short_weights;  // as in the trainer
  const auto forward = [&] {
    const MixedPrecision mixed(precision, device.type());
    const ShortWeights::Scope scope(o.mode == "infer" ? nullptr : &short_weights);
    return work.forward();
  };
  Passes pass;
  if (o.mode == "infer") {
    subject.module->eval();
    const at::NoGradGuard no_grad;
    pass.forward = count_traffic(device, [&] { forward(); });
    return pass;
  }
  subject.module->train();
  forward();  // makes the copies of the weights
  at::Tensor loss;
  pass.forward = count_traffic(device, [&] { loss = work.loss(forward().to(at::kFloat)); });
  pass.backward = count_traffic(device, [&] { loss.backward(); });
  return pass;
}

}  // namespace wf
