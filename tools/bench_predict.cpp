// wf_bench --traffic --device meta: what the kernels of a step would do on a GPU.

#include "bench_inspect.h"
#include "bench_passes.h"

#include <fmt/format.h>

#include <iostream>

namespace wf {
namespace {

OpTraffic total(const Traffic& ops) {
  OpTraffic all;
  for (const auto& [name, op] : ops) all += op;
  return all;
}

std::string shown(const char* pass, const OpTraffic& op) {
  return fmt::format(R"("{}": {{"kernels": {}, "gb": {:.3f}, "gflop": {:.1f}, "h100_ms": {:.3f}}})",
                     pass, op.kernels, 1e-9 * op.bytes, 1e-9 * op.flop, 1e3 * op.seconds);
}

Traffic difference(Traffic with, const Traffic& without) {
  for (const auto& [name, op] : without) {
    auto& left = with[name];
    left = {left.calls - op.calls, left.kernels - op.kernels, left.bytes - op.bytes,
            left.flop - op.flop, left.seconds - op.seconds};
  }
  return with;
}
Passes difference(const Passes& with, const Passes& without) {
  return {difference(with.forward, without.forward), difference(with.backward, without.backward)};
}

// Of each operator kernels, gigabytes and milliseconds of both passes.
std::string operators(const Passes& pass) {
  auto ops = pass.forward;
  for (const auto& [name, op] : pass.backward) ops[name] += op;
  std::string list;
  for (const auto& [name, op] : ops) {
    if (op.kernels == 0) continue;
    list += fmt::format(R"({}"{}": [{}, {:.3f}, {:.3f}])", list.empty() ? "" : ", ", name,
                        op.kernels, 1e-9 * op.bytes, 1e3 * op.seconds);
  }
  return list;
}

}  // namespace

void bench_traffic(const BenchOptions& o) {
  WF_CHECK(o.traffic, "--device meta has no data to compute with: it needs --traffic");
  const auto print = [&](const char* part, const Passes& pass) {
    std::cout << fmt::format(R"({{"predicted": true, "model": "{}", "mode": "{}", "batch": {}, )"
                             R"("dtype": "{}", "residual": "{}", "part": "{}", {}, {}, )"
                             R"("ops": {{{}}}}})",
                             o.model, o.mode, o.batch, o.dtype, o.residual, part,
                             shown("forward", total(pass.forward)),
                             shown("backward", total(pass.backward)), operators(pass))
              << std::endl;
  };
  // The second block of a model is dynamic, the first and the third are not.
  const auto one = count_passes(o, 1), two = count_passes(o, 2), three = count_passes(o, 3);
  print("static block", difference(three, two));
  print("dynamic block", difference(two, one));
  print("model", count_passes(o, 0));
}

}  // namespace wf
