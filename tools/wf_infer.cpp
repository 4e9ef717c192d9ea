// Runs a trained classifier on images or on a tensor, or a diffusion model on tensors. See --help.

#include "weightformer/core/check.h"

#include "checkpoint/saved_config.h"
#include "config/load.h"
#include "infer.h"
#include "tool.h"

namespace wf {

Config infer_config(const InferArguments& a, const Weights& weights) {
  auto config = load_config(a.cfg, a.opts);
  if (!a.model.empty()) set_key(config, "MODEL.NAME", a.model, "--model");
  set_key(config, "DEVICE", a.device, "--device");
  return evaluation_config(std::move(config), weights, a.weights);
}

}  // namespace wf

int main(int argc, char** argv) {
  wf::prepare_process(argv);
  CLI::App app(
      "Classifies images (wf_infer weights.pth cat.jpg photos/) or a tensor (wf_infer weights.pth "
      "--input x.safetensors --output y.safetensors); runs a diffusion model on tensors. The model "
      "and how images are prepared come from the file of weights, unless --cfg, --opts or --model "
      "say otherwise.");
  return wf::run_tool(&app, [&] {
    wf::InferArguments a;
    app.add_option("weights,--weights,--resume", a.weights,
                   "trained weights: .pth, .safetensors or a checkpoint")
        ->required();
    app.add_option("images,--images", a.images,
                   "images, or directories, .tar, .zip and .wfpack files of them");
    auto* input = app.add_option("--input", a.input,
                                 "safetensors with x [B, 3, H, W]; for DiT x [B, 4, H, W], "
                                 "t [B] (steps), y [B] (labels, int64)");
    auto* output = app.add_option("--output", a.output,
                                  "where logits [B, classes] go; for DiT out [B, 8, H, W]");
    output->needs(input);
    input->needs(output);
    app.add_option(
           "--blocks", a.blocks,
           "write the token grids [B, H, W, C] behind these blocks, normalized, as block_N, "
           "in place of the logits; -1 is the last block")
        ->needs(input);
    app.add_option("--model", a.model, "name of the model, such as wfm_tiny or dit_s_2");
    app.add_option("--cfg", a.cfg, "configuration of the model, YAML");
    app.add_option("--opts", a.opts, "KEY VALUE …: override keys of the configuration");
    app.add_option("--guidance", a.guidance,
                   "classifier-free guidance of a DiT: the second half of the batch is the first "
                   "once more, with the label for no class")
        ->needs(input);
    app.add_option("--device", a.device, "auto, cpu or cuda");
    app.add_option("--top", a.top, "how many classes to print")->check(CLI::PositiveNumber);
    app.add_flag("--ema", a.ema, "use the EMA weights of a checkpoint");
    app.add_flag("--allow-missing", a.allow_missing, "accept weights that do not fill the model");
    app.add_flag("--json", a.json, "one JSON object per image");
    app.parse(argc, argv);
    WF_CHECK(a.images.empty() != a.input.empty(),
             "give images, directories or archives of them, or --input with --output");
    return a.input.empty() ? wf::infer_images(a) : wf::infer_tensors(a);
  });
}
