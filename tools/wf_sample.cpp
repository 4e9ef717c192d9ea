// Draws images from a trained diffusion model. See --help and docs/diffusion.md.

#include "weightformer/core/check.h"

#include "config/key_search.h"
#include "engine/build.h"
#include "engine/diffusion/build.h"
#include "sample_files.h"
#include "sample_model.h"
#include "sample_preset.h"
#include "tool.h"

using namespace wf;

namespace {

// A flag and the key that it sets.
struct KeyFlag {
  const char *flag, *key, *help;
};
constexpr KeyFlag kKeyFlags[] = {
    {"--sampler", "SAMPLE.SAMPLER", "ddpm, ddim, dpmpp_2m; of a flow: euler, heun, sde"},
    {"--steps", "SAMPLE.STEPS", "steps of the sampler"},
    {"--scale", "SAMPLE.SCALE", "scale of classifier-free guidance; 1: none"},
    {"--interval", "SAMPLE.INTERVAL", "[LOW, HIGH]: fractions of the process with guidance"},
    {"--seed", "SAMPLE.SEED", "random seed"},
    {"--batch-size", "SAMPLE.BATCH_SIZE", "samples at a time"},
    {"--device", "DEVICE", "auto, cpu or cuda"},
};

}  // namespace

int main(int argc, char** argv) {
  prepare_process(argv);
  CLI::App app("Draws images from a trained diffusion model.", "wf_sample");
  return run_tool(&app, [&] {
    SampleModelRequest model;
    SampleFiles files;
    bool no_ema = false, amp = false;
    std::vector<std::string> values(std::size(kKeyFlags)), opts;
    app.add_option("--resume", model.file, "checkpoint or weights: .pth, .pt, .safetensors")
        ->required();
    app.add_option("--cfg", model.cfg, "configuration, instead of the one in the checkpoint");
    app.add_option("--model", model.name, "for bare weights: dit_s_2 …")->excludes("--cfg");
    app.add_option("--output", files.directory, "directory for the images")->required();
    app.add_option("--classes", files.classes, "labels or class names, default: all, at most 10");
    app.add_option("--per-class", files.per_class, "images of each class, a row of the grid")
        ->check(CLI::PositiveNumber);
    app.add_option("--preset", files.preset,
                   "adm-dit: settings of DiT's FID-50K; other flags change single ones");
    auto* images = app.add_option("--images", files.images,
                                  "draw this many images of random classes into samples.npz, on "
                                  "every rank of torchrun; after "
                                  "an interruption, the same command continues");
    app.add_option("--shard", files.shard, "--images: samples per file")
        ->check(CLI::PositiveNumber);
    app.add_flag("--balanced", files.balanced, "--images: equally many of each class");
    app.add_flag("--png", files.single,
                 "also write single images to images/CLASS/ of the directory");
    app.add_option("--vae", files.vae,
                   "decode latents: a directory of diffusers' config.json and weights");
    app.add_option("--vae-tile", files.decoding.tile,
                   "decode in tiles of this many pixels, blended; 0: at once")
        ->check(CLI::NonNegativeNumber);
    app.add_option("--vae-batch", files.decoding.batch_size, "latents decoded at a time")
        ->check(CLI::PositiveNumber);
    app.add_flag("--no-ema", no_ema, "the trained weights, not their EMA");
    app.add_flag("--amp", amp, "bfloat16 in the networks");
    for (size_t i = 0; i < std::size(kKeyFlags); ++i) {
      app.add_option(kKeyFlags[i].flag, values[i], kKeyFlags[i].help);
    }
    app.add_option("--opts", opts, "KEY VALUE …: override keys of the configuration");
    app.parse(argc, argv);
    model.ema = !no_ema;
    model.settings = opts;
    for (size_t i = 0; i < std::size(kKeyFlags); ++i) {
      if (values[i].empty()) continue;
      model.settings.insert(model.settings.end(), {kKeyFlags[i].key, values[i]});
    }
    model.settings.insert(model.settings.end(), {"AMP", amp ? "true" : "false"});
    apply_preset(files.preset, model, files, images->count() > 0);
    return draw_files(model, files);
  });
}
