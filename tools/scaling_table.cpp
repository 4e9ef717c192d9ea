#include "scaling_table.h"

#include "weightformer/core/check.h"

#include "core/registry.h"
#include "core/text.h"
#include "dist/data_parallel.h"

#include <fmt/format.h>

#include <iostream>
#include <map>

namespace wf {
namespace {

struct ModelCost {
  double parameters, flop;  // trained; of a forward pass of one image, 2 per multiply-add
  int batch;                // per GPU in the original's runs
};

// Counted with torch.utils.flop_counter on tests/bench/weightformer.py: T and S at 224 px, B at
// 448, DiT on 32 x 32 latents.
const std::map<std::string, ModelCost> kModels{
    {"wfm_tiny", {7'074'184, 2.249e9, 256}},   {"wfm_small", {27'492'136, 8.856e9, 256}},
    {"wfm_base", {27'492'136, 35.327e9, 256}}, {"dit_s_2", {37'566'080, 10.046e9, 32}},
    {"dit_b_2", {149'007'584, 40.113e9, 32}},
};

StepCost cost_of(const ScalingOptions& o, const ModelCost& model, int batch) {
  StepCost cost;
  cost.bytes = model.parameters * o.bytes_per_gradient;
  // By the gradients in memory, before compression.
  const auto gradients = static_cast<int64_t>(4 * model.parameters);
  const double bucket = o.bucket_mb > 0 ? o.bucket_mb * (1 << 20)
                                        : static_cast<double>(default_bucket_bytes(gradients));
  cost.bucket_bytes = bucket * o.bytes_per_gradient / 4;
  const bool measured = o.forward_ms > 0 && o.backward_ms > 0;
  WF_CHECK(measured != (o.tflops > 0),
           "give either --bench, or --forward-ms and --backward-ms (measured), or --tflops "
           "(assumed)");
  cost.forward = measured ? o.forward_ms / 1e3 : model.flop * batch / (o.tflops * 1e12);
  cost.backward = measured ? o.backward_ms / 1e3 : 2 * cost.forward;
  cost.rest = o.rest_ms / 1e3;
  return cost;
}

}  // namespace

std::string scaling_models() {
  std::vector<std::string> names;
  for (const auto& item : kModels) names.push_back(item.first);
  return join(names, ", ");
}

void print_scaling_table(const ScalingOptions& o) {
  const auto found = kModels.lower_bound(o.model);  // wfm_t is short for wfm_tiny
  WF_CHECK(found != kModels.end() && o.model.size() > 4 && starts_with(found->first, o.model),
           "unknown model '", o.model, "'; known are ", scaling_models());
  const int batch = o.batch > 0 ? o.batch : found->second.batch;
  const auto cost = cost_of(o, found->second, batch);
  Fabric fabric = o.fabric;
  fabric.beta_node = o.node_gb * 1e9;
  fabric.beta_net = o.net_gb * 1e9;
  std::string rows;
  for (const int gpus : o.gpus) {
    const auto step = estimate_step(fabric, gpus, cost);
    rows += fmt::format("| {} | {} | {:.2f} | {:.2f} | {:.2f} | {:.1f} % | {:.0f} |\n", gpus,
                        static_cast<int64_t>(gpus) * batch, 1e3 * step.seconds, 1e3 * step.exchange,
                        1e3 * step.exposed, 100 * step.efficiency, gpus * batch / step.seconds);
  }
  std::cout << fmt::format(
      "{}, batch {} per GPU, {:.1f} MB of gradients per step; compute {} ms {}\n\n", o.model, batch,
      cost.bytes / 1e6, fmt::format("{:.1f}", 1e3 * (cost.forward + cost.backward + cost.rest)),
      o.tflops > 0 ? "ASSUMED" : "measured");
  std::cout << "| GPUs | total batch | step, ms | exchange, ms | of it exposed, ms | efficiency | "
               "images/s |\n|---|---|---|---|---|---|---|\n"
            << rows;
}

}  // namespace wf
