// Encodes the images of a dataset to latents. See --help and docs/vae.md.

#include "weightformer/core/check.h"

#include "config/load.h"
#include "data/sources/open_dataset.h"
#include "dist/launch_env.h"
#include "engine/build.h"
#include "engine/build_data.h"
#include "engine/diffusion/encode_run.h"
#include "runtime/log.h"
#include "runtime/stop_signal.h"
#include "tool.h"

#include <algorithm>
#include <filesystem>
#include <thread>

using namespace wf;

namespace {

struct EncodeRequest {
  std::string data_path, vae, output, device = "auto", dataset;
  std::vector<std::string> splits, opts;
  LatentCodecOptions codec;
  EncodeRunOptions run;
  bool zip = false, no_flip = false, amp = false;
};

int encode(EncodeRequest& request) {
  const auto env = read_launch_env();
  Config config = load_config("", request.opts);
  set_key(config, "DEVICE", request.device, "--device");
  if (!request.dataset.empty()) set_key(config, "DATA.DATASET", request.dataset, "--dataset");
  set_key(config, "AMP", request.amp ? "true" : "false", "--amp");
  config.data.data_path = request.data_path;
  if (request.zip) config.data.zip_mode = true;
  const auto device = build_device(config, env);
  const auto ranks = build_distributed(config, env, device);
  if (!ranks->is_root()) log::only_errors_on_terminal();
  auto source = data_source(config.data, env);
  if (request.splits.empty()) {
    request.splits = {"train"};
    if (has_split(source, "val")) request.splits.emplace_back("val");
  }
  std::error_code problem;
  std::filesystem::create_directories(request.output, problem);
  WF_CHECK(!problem, request.output, ": cannot create the directory: ", problem.message());
  request.codec.device = device;
  request.codec.amp = build_amp(config);
  request.codec.batch_size = request.run.batch_size;
  LatentCodec codec(request.vae, request.codec);
  codec.autoencoder();  // throws for a decoder, before images are listed
  catch_stop_signals(/*announce=*/ranks->is_root());
  request.run.flipped = !request.no_flip;
  std::vector<std::string> classes;  // of the first set, for the numbers of the labels
  for (const auto& split : request.splits) {
    std::shared_ptr<const Dataset> images =
        open_on_all_ranks("images", source, split, classes, ranks.get());
    classes = images->classes();
    request.run.output = request.output + "/" + split + ".wflat";
    encode_images(images, codec, request.run, *ranks);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  prepare_process(argv);
  CLI::App app("Encodes images to latents for wf_train, on every rank of torchrun.", "wf_encode");
  return run_tool(&app, [&] {
    EncodeRequest r;
    r.run.workers = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    app.add_option("--data-path", r.data_path, "as of wf_train: train/CLASS/*, …")->required();
    app.add_option("--vae", r.vae, "directory of diffusers' config.json and weights")->required();
    app.add_option("--output", r.output, "directory for train.wflat and val.wflat")->required();
    app.add_option("--size", r.run.size, "side of the center crop, pixels (256)");
    app.add_option("--split", r.splits, "train, val; default: those that exist");
    app.add_option("--dataset", r.dataset, "imagenet or cifar100, see DATA.DATASET");
    app.add_option("--opts", r.opts,
                   "KEY VALUE …: keys of the data, such as DATA.TRAIN or DATA.TRAIN_SUBSET");
    app.add_flag("--zip", r.zip, "read train.zip with train_map.txt");
    app.add_flag("--no-flip", r.no_flip, "do not encode the mirrored images");
    app.add_flag("--half", r.run.half, "store float16: half the bytes");
    app.add_option("--batch-size", r.run.batch_size, "images at a time")
        ->check(CLI::Range(1, 4096));
    app.add_option("--part", r.run.part, "images per part, the most that is lost when killed")
        ->check(CLI::PositiveNumber);
    app.add_option("--workers", r.run.workers, "threads that decode")->check(CLI::Range(0, 1024));
    app.add_option("--vae-tile", r.codec.tile, "encode in tiles of this many pixels; 0: at once")
        ->check(CLI::NonNegativeNumber);
    app.add_flag("--amp", r.amp, "bfloat16 in the autoencoder");
    app.add_option("--device", r.device, "auto, cpu or cuda");
    app.parse(argc, argv);
    WF_CHECK(r.run.size > 0, "--size ", r.run.size, ": expected pixels");
    return encode(r);
  });
}
