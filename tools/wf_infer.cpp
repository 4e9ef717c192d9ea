// Runs a trained classifier on a tensor or on images, or a diffusion model on tensors. See --help.

#include "weightformer/core/check.h"
#include "weightformer/core/memory.h"

#include "infer.h"
#include "tool.h"

int main(int argc, char** argv) {
  wf::keep_freed_memory();
  CLI::App app(
      "Classifies a tensor (--model --weights --input --output) or images (--cfg --resume "
      "--images), or denoises latents (--model dit_… --weights --input --output).");
  return wf::run_tool(&app, [&] {
    wf::InferArguments a;
    auto* model =
        app.add_option("--model", a.model, "name of the model, for example wfm_tiny or dit_s_2");
    auto* weights =
        app.add_option("--weights", a.weights, "its weights: .pth, .safetensors or a checkpoint");
    auto* input = app.add_option("--input", a.input,
                                 "safetensors with x [B, 3, H, W]; for DiT x [B, 4, H, W], "
                                 "t [B] (steps), y [B] (labels, int64)");
    auto* output = app.add_option("--output", a.output,
                                  "where logits [B, classes] go; for DiT out [B, 8, H, W]");
    model->needs(weights)->needs(input)->needs(output);
    app.add_option("--guidance", a.guidance,
                   "classifier-free guidance of a DiT: the second half of the batch is the first "
                   "once more, with the label for no class")
        ->needs(model);
    auto* cfg = app.add_option("--cfg", a.cfg, "configuration of the model, YAML");
    auto* resume =
        app.add_option("--resume", a.resume, "checkpoint or weights: .pth or .safetensors");
    auto* images = app.add_option("--images", a.images, "images, or directories of them");
    cfg->needs(resume)->needs(images)->excludes(model);
    app.add_option("--opts", a.opts, "KEY VALUE … over the configuration");
    app.add_option("--device", a.device, "auto, cpu or cuda");
    app.add_option("--top", a.top, "how many classes to name")->check(CLI::PositiveNumber);
    app.add_flag("--ema", a.ema, "use the EMA weights of a checkpoint");
    app.add_flag("--allow-missing", a.allow_missing, "accept weights that do not fill the model");
    app.add_flag("--json", a.json, "one JSON object per image");
    app.parse(argc, argv);
    WF_CHECK(model->count() + cfg->count() == 1,
             "give --model with --weights --input --output, or --cfg with --resume --images");
    return model->count() ? wf::infer_tensors(a) : wf::infer_images(a);
  });
}
