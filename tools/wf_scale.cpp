// Estimates step time and efficiency of data-parallel training by number of GPUs. See --help and
// docs/distributed.md.

#include "weightformer/core/check.h"

#include "scaling_table.h"
#include "tool.h"

#include <nlohmann/json.hpp>

#include <fstream>
#include <iostream>

namespace {

using namespace wf;

void declare(CLI::App& app, ScalingOptions& o) {
  app.add_option("--model", o.model, scaling_models() + ", or the beginning of one");
  app.add_option("--batch", o.batch, "images per GPU and step; 0: as in the original");
  app.add_option("--bench", o.bench,
                 "a file of lines of wf_bench --mode train --phases: a table for each; - for "
                 "standard input");
  app.add_option("--forward-ms", o.forward_ms, "measured on one GPU, with --backward-ms");
  app.add_option("--backward-ms", o.backward_ms, "measured on one GPU");
  app.add_option("--rest-ms", o.rest_ms, "measured: clipping, optimizer, waiting for images");
  app.add_option("--tflops", o.tflops,
                 "without measured times: assumed rate of a GPU, 1e12 operations per "
                 "second; the backward pass counts as two forward passes");
  app.add_option("--gradient-bytes", o.bytes_per_gradient, "4, or 2 with DIST.COMPRESS bf16");
  app.add_option("--bucket-mb", o.bucket_mb, "DIST.BUCKET_MB; 0: by the size of the model");
  app.add_option("--gpus", o.gpus, "numbers of GPUs")->delimiter(',');
  app.add_option("--gpus-per-node", o.fabric.gpus_per_node);
  app.add_option("--node-gb", o.node_gb, "sustained GB/s per GPU inside a node (busbw)");
  app.add_option("--net-gb", o.net_gb, "sustained GB/s between nodes, over all cards of a node");
}

// One table per line of wf_bench.
void print_measured(ScalingOptions o) {
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
    print_scaling_table(o);
  }
  WF_CHECK(number > 0, o.bench, ": empty: expected lines of wf_bench --mode train --phases");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Step time of data-parallel training by number of GPUs, from measured times and link "
      "figures"};
  return run_tool(&app, [&] {
    ScalingOptions options;
    declare(app, options);
    app.parse(argc, argv);
    options.bench.empty() ? print_scaling_table(options) : print_measured(options);
    return 0;
  });
}
