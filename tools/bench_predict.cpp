// wf_bench --traffic --device meta: what the kernels of a step would do on a GPU.

#include "bench_inspect.h"
#include "bench_subject.h"
#include "core/drop_data.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <iostream>

namespace wf {
namespace {

using Traffic = std::map<std::string, OpTraffic>;

struct Pass {
  Traffic forward, backward;
};

OpTraffic total(const Traffic& ops) {
  OpTraffic all;
  for (const auto& [name, op] : ops) all += op;
  return all;
}

// Forward pass and loss, backward pass of a model of `depth` blocks. Clipping and the optimizer,
// which do not depend on the batch, are not among them.
Pass count(BenchOptions o, int64_t depth) {
  o.depth = depth;
  const auto subject = make_subject(o);
  const auto device = o.torch_device();
  for (const auto& parameter : subject.module->parameters()) drop_data(parameter);
  const auto work = subject.work(o.size ? o.size : subject.size);
  std::optional<Precision> precision;
  if (o.type() != at::kFloat) precision = Precision(o.type(), o.token_type());
  const auto forward = [&] {
    const MixedPrecision mixed(precision, device.type());
    return work.forward();
  };
  Pass pass;
  if (o.mode == "infer") {
    subject.module->eval();
    const at::NoGradGuard no_grad;
    pass.forward = count_traffic(device, [&] { forward(); });
    return pass;
  }
  subject.module->train();
  at::Tensor loss;
  pass.forward = count_traffic(device, [&] { loss = work.loss(forward().to(at::kFloat)); });
  pass.backward = count_traffic(device, [&] { loss.backward(); });
  return pass;
}

std::string shown(const char* pass, const OpTraffic& op) {
  return fmt::format(R"("{}": {{"kernels": {}, "gb": {:.3f}, "gflop": {:.1f}, "h100_ms": {:.3f}}})",
                     pass, op.kernels, 1e-9 * op.bytes, 1e-9 * op.flop, 1e3 * op.seconds);
}

OpTraffic difference(const Traffic& with, const Traffic& without) {
  const auto a = total(with), b = total(without);
  return {a.calls - b.calls, a.kernels - b.kernels, a.bytes - b.bytes, a.flop - b.flop,
          a.seconds - b.seconds};
}

}  // namespace

void bench_traffic(const BenchOptions& o) {
  WF_CHECK(o.traffic, "--device meta has no data to compute with: it needs --traffic");
  const auto print = [&](const char* part, const OpTraffic& forward, const OpTraffic& backward,
                         const std::string& more) {
    std::cout << fmt::format(R"({{"predicted": true, "model": "{}", "mode": "{}", "batch": {}, )"
                             R"("dtype": "{}", "residual": "{}", "part": "{}", {}, {}{}}})",
                             o.model, o.mode, o.batch, o.dtype, o.residual, part,
                             shown("forward", forward), shown("backward", backward), more)
              << std::endl;
  };
  // The second block of a model is dynamic, the first and the third are not.
  const auto one = count(o, 1), two = count(o, 2), three = count(o, 3), all = count(o, 0);
  print("static block", difference(three.forward, two.forward),
        difference(three.backward, two.backward), "");
  print("dynamic block", difference(two.forward, one.forward),
        difference(two.backward, one.backward), "");
  auto ops = all.forward;
  for (const auto& [name, op] : all.backward) ops[name] += op;
  std::string list;
  for (const auto& [name, op] : ops) {
    list += fmt::format(R"({}"{}": [{}, {:.3f}, {:.3f}])", list.empty() ? "" : ", ", name,
                        op.kernels, 1e-9 * op.bytes, 1e3 * op.seconds);
  }
  print("model", total(all.forward), total(all.backward), ", \"ops\": {" + list + "}");
}

}  // namespace wf
