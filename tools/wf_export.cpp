// Exports a trained model to ONNX. See --help and docs/deployment.md.

#include "weightformer/core/check.h"
#include "weightformer/serialization/weights.h"

#include "checkpoint/saved_config.h"
#include "checkpoint/weights_metadata.h"
#include "config/load.h"
#include "engine/classification/build.h"
#include "engine/diffusion/build.h"
#include "export/export_onnx.h"
#include "tool.h"

#include <filesystem>
#include <iostream>

using namespace wf;

namespace {

struct Arguments {
  std::string weights, output, model, cfg;
  std::vector<std::string> opts;
  bool ema = false;
  ExportOptions options;
};

Config config_of(const Arguments& a, const Weights& weights) {
  auto config = load_config(a.cfg, a.opts);
  if (!a.model.empty()) set_key(config, "MODEL.NAME", a.model, "--model");
  return evaluation_config(std::move(config), weights, a.weights);
}

int export_model(Arguments a) {
  WF_CHECK(std::filesystem::path(a.output).extension() == ".onnx", a.output,
           ": the name must end in .onnx");
  auto weights = read_weights(a.weights, {a.ema, Checksums::while_loading});
  const auto config = config_of(a, weights);
  auto& options = a.options;
  options.transform = transform_options(config);
  options.metadata = weights_metadata(weights);
  options.metadata["model"] = config.model.name;
  std::shared_ptr<Model> model;
  if (model_kind(config.model.name) == ModelKind::diffusion) {
    model = build_dit_for(config, weights, c10::kCPU);
  } else {
    model = build_classifier(config, c10::kCPU);
  }
  load_weights(*model, std::move(weights), a.weights);
  const auto graph = export_onnx(*model, options);
  graph.write(a.output);
  std::cout << a.output << ": " << config.model.name << ", " << graph.node_count() << " nodes, "
            << std::filesystem::file_size(a.output) << " bytes\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  prepare_process(argv);
  CLI::App app(
      "Exports a trained classifier or diffusion model to ONNX, for any batch, height and width. "
      "The model, its classes and how images are prepared come from the file of weights, and the "
      "last two are in the metadata of the output.");
  return run_tool(&app, [&] {
    Arguments a;
    auto& options = a.options;
    app.add_option("weights", a.weights, "trained weights: .pth, .safetensors or a checkpoint")
        ->required();
    app.add_option("output", a.output, "the file to write, NAME.onnx")->required();
    app.add_flag("--float16", options.float16,
                 "weights and arithmetic in float16; inputs and outputs stay float32");
    auto* preprocess =
        app.add_flag("--preprocess", options.preprocess,
                     "take images as uint8 [B, H, W, 3], RGB, and normalize them in the graph");
    auto* resize = app.add_flag("--resize", options.resize,
                                "resize and crop the images in the graph too, as in evaluation");
    resize->needs(preprocess);
    app.add_option("--size", options.size, "fix height and width of the input, pixels")
        ->expected(2)
        ->excludes(resize);
    app.add_option("--batch", options.batch, "fix the batch size")->check(CLI::PositiveNumber);
    app.add_option("--dynamic-linear", options.dynamic_linear,
                   "auto, factored (less work for small images) or merged (for large ones)");
    app.add_option("--model", a.model, "name of the model, such as wfm_tiny or dit_s_2");
    app.add_option("--cfg", a.cfg, "configuration of the model, YAML");
    app.add_option("--opts", a.opts, "KEY VALUE …: override keys of the configuration");
    app.add_flag("--ema", a.ema, "the EMA weights of a checkpoint");
    app.parse(argc, argv);
    return export_model(a);
  });
}
