// Data-parallel training on paper: step time and efficiency by number of GPUs. See --help and
// docs/distributed.md.

#include "weightformer/core/check.h"

#include "core/registry.h"
#include "dist/data_parallel.h"
#include "scaling.h"
#include "tool.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <iostream>
#include <map>
#include <vector>

namespace {

using namespace wf;

struct Model {
  double parameters, flop;  // trained; of a forward pass of one picture, 2 a multiply-add
  int batch;                // per GPU in the published runs
};

// Counted with torch.utils.flop_counter on tests/bench/weightformer.py: T and S at 224 px, B at
// 448, DiT on 32 x 32 latents.
const std::map<std::string, Model> kModels{
    {"wfm_tiny", {7'074'184, 2.249e9, 256}},   {"wfm_small", {27'492'136, 8.856e9, 256}},
    {"wfm_base", {27'492'136, 35.327e9, 256}}, {"dit_s_2", {37'566'080, 10.046e9, 32}},
    {"dit_b_2", {149'007'584, 40.113e9, 32}},
};

std::string known_models() {
  std::vector<std::string> names;
  for (const auto& item : kModels) names.push_back(item.first);
  return join(names, ", ");
}

struct Options {
  std::string model = "wfm_small", bench;
  int batch = 0;
  double tflops = 0, forward_ms = 0, backward_ms = 0, rest_ms = 0;
  double bytes_per_gradient = 4, bucket_mb = 0;
  Fabric fabric;
  double node_gb = 360, net_gb = 320;
  std::vector<int> gpus{1, 8, 16, 64, 256, 1024};
};

void declare(CLI::App& app, Options& o) {
  app.add_option("--model", o.model, known_models() + ", or the beginning of one");
  app.add_option("--batch", o.batch, "pictures a GPU and step; 0: as published");
  app.add_option("--bench", o.bench,
                 "a file of lines of wf_bench --mode train --phases: a table for each; - for "
                 "standard input");
  app.add_option("--forward-ms", o.forward_ms, "measured on one GPU, with --backward-ms");
  app.add_option("--backward-ms", o.backward_ms, "measured on one GPU");
  app.add_option("--rest-ms", o.rest_ms, "measured: clipping, optimizer, waiting for pictures");
  app.add_option("--tflops", o.tflops,
                 "without measured times: what a GPU is assumed to sustain, 1e12 operations a "
                 "second; the backward pass counts as two forward passes");
  app.add_option("--gradient-bytes", o.bytes_per_gradient, "4, or 2 with DIST.COMPRESS bf16");
  app.add_option("--bucket-mb", o.bucket_mb, "DIST.BUCKET_MB; 0: by the size of the model");
  app.add_option("--gpus", o.gpus, "numbers of GPUs")->delimiter(',');
  app.add_option("--gpus-per-node", o.fabric.gpus_per_node);
  app.add_option("--node-gb", o.node_gb, "GB/s a GPU sustains inside a node (busbw)");
  app.add_option("--net-gb", o.net_gb, "GB/s a node sustains to others, over all its cards");
}

StepCost cost_of(const Options& o, const Model& model, int batch) {
  StepCost cost;
  cost.bytes = model.parameters * o.bytes_per_gradient;
  // Cut by what gradients take in memory; compression comes after.
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

void print_table(const Options& o) {
  const auto found = kModels.lower_bound(o.model);  // wfm_t is short for wfm_tiny
  WF_CHECK(found != kModels.end() && o.model.size() > 4 && found->first.rfind(o.model, 0) == 0,
           "unknown model '", o.model, "'; known are ", known_models());
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
      "{}, batch {} a GPU, {:.1f} MB of gradients a step; compute {} ms {}\n\n", o.model, batch,
      cost.bytes / 1e6, fmt::format("{:.1f}", 1e3 * (cost.forward + cost.backward + cost.rest)),
      o.tflops > 0 ? "ASSUMED" : "measured");
  std::cout << "| GPUs | total batch | step, ms | exchange, ms | of it exposed, ms | efficiency | "
               "images/s |\n|---|---|---|---|---|---|---|\n"
            << rows;
}

// A table for each line that wf_bench has printed.
void print_measured(Options o) {
  std::ifstream file(o.bench);
  std::istream& in = o.bench == "-" ? std::cin : file;
  WF_CHECK(in, o.bench, ": cannot read");
  int number = 0;
  for (std::string text; std::getline(in, text);) {
    ++number;
    const auto line = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    const auto get = [&](const char* key, auto& value) {
      const auto at = line.is_object() ? line.find(key) : line.end();
      WF_CHECK(at != line.end() && at->type() == nlohmann::json(value).type(), o.bench, ":", number,
               ": no ", key, " in it: expected a line of wf_bench --mode train --phases");
      at->get_to(value);
    };
    unsigned batch = 0;
    get("model", o.model);
    get("batch", batch);
    get("forward_ms", o.forward_ms);
    get("backward_ms", o.backward_ms);
    get("rest_ms", o.rest_ms);
    o.batch = static_cast<int>(batch);
    if (number > 1) std::cout << "\n";
    print_table(o);
  }
  WF_CHECK(number > 0, o.bench,
           ": nothing in it: expected lines of wf_bench --mode train --phases");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Step time of data-parallel training by number of GPUs, from measured times and link "
      "figures"};
  return run_tool(&app, [&] {
    Options options;
    declare(app, options);
    app.parse(argc, argv);
    options.bench.empty() ? print_table(options) : print_measured(options);
    return 0;
  });
}
