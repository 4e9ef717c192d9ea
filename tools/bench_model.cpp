// wf_bench without --ops, --load or --data: steps of a model on random numbers.

#include "bench_subject.h"
#include "core/peak_memory.h"

#include <fmt/format.h>
#include <torch/types.h>

#include <algorithm>
#include <iostream>

namespace wf {
namespace {

std::string shown(const Phases& phases) {
  return fmt::format(R"(, "forward_ms": {:.3f}, "backward_ms": {:.3f}, "rest_ms": {:.3f})",
                     1e3 * phases.forward, 1e3 * phases.backward, 1e3 * phases.rest);
}

std::string shown(const Floor& floor, const Timing& timing) {
  return fmt::format(R"(, "floor_ms": {:.3f}, "floor_calls": {}, "floor_gflop_per_s": {:.1f}, )"
                     R"("floor_share": {:.3f})",
                     1e3 * floor.seconds, floor.calls, floor.gflop / floor.seconds,
                     floor.seconds / timing.best);
}

// The operators by what they move, the most first.
std::string shown(const std::map<std::string, OpTraffic>& traffic) {
  std::vector<std::pair<std::string, OpTraffic>> ops(traffic.begin(), traffic.end());
  std::sort(ops.begin(), ops.end(),
            [](const auto& a, const auto& b) { return a.second.bytes > b.second.bytes; });
  OpTraffic all;
  std::string list;
  for (const auto& [name, op] : ops) {
    all.calls += op.calls;
    all.bytes += op.bytes;
    list += fmt::format(R"({}"{}": [{}, {:.2f}])", list.empty() ? "" : ", ", name, op.calls,
                        1e-6 * op.bytes);
  }
  return fmt::format(R"(, "op_calls": {}, "moved_mb": {:.1f}, "ops": {{{}}})", all.calls,
                     1e-6 * all.bytes, list);
}

}  // namespace

c10::ScalarType BenchOptions::type() const {
  if (dtype == "bfloat16") return at::kBFloat16;
  if (dtype == "float16") return at::kHalf;
  WF_CHECK(dtype == "float32", "--dtype: expected float32, bfloat16 or float16, got ", dtype);
  return at::kFloat;
}

TokenType BenchOptions::token_type() const {
  if (residual == "amp_dtype") return TokenType::products;
  if (residual == "autocast") return TokenType::autocast;
  WF_CHECK(residual == "float32", "--residual: expected float32, amp_dtype or autocast, got ",
           residual);
  return TokenType::float32;
}

void bench_model(const BenchOptions& o) {
  if (o.device == "meta") return bench_traffic(o);
  const double idle = peak_memory_mib(o.torch_device());
  const auto subject = make_subject(o);
  subject.module->to(o.torch_device());
  std::vector<int64_t> sizes{o.size ? o.size : subject.size};
  if (!o.sweep.empty()) {
    sizes.clear();
    for (int64_t i = 1; i <= 6; ++i) sizes.push_back(i * subject.sweep);
  }
  for (const int64_t size : sizes) {
    StepDetails details;
    const auto timing = time_model(o, subject.work(size), *subject.module, details);
    const int64_t side = size / subject.patch;
    const double tokens = static_cast<double>(o.batch * side * side);
    std::cout
        << fmt::format(
               R"({{"who": "weightformer", "model": "{}", "mode": "{}", "batch": {}, "size": {}, )"
               R"("dtype": "{}", "images_per_s_best": {:.3f}, "images_per_s_median": {:.3f}, )"
               R"("peak_mib": {:.1f}, "idle_mib": {:.1f}, "us_per_token": {:.4f}{}{}}})",
               o.model, o.mode, o.batch, size, o.dtype, o.batch / timing.best,
               o.batch / timing.median, peak_memory_mib(o.torch_device()), idle,
               1e6 * timing.best / tokens, o.phases ? shown(details.phases) : "",
               (o.floor ? shown(details.floor, timing) : "") +
                   (o.traffic ? shown(details.traffic) : ""))
        << std::endl;
  }
}

}  // namespace wf
