#include "sample_files.h"

#include "weightformer/core/check.h"
#include "weightformer/serialization/weights.h"

#include "config/describe.h"
#include "dist/launch_env.h"
#include "engine/build.h"
#include "engine/diffusion/build.h"
#include "engine/diffusion/sample_run.h"
#include "engine/distributed.h"
#include "engine/weights_checksum.h"
#include "runtime/log.h"
#include "runtime/stop_signal.h"
#include "sample_preset.h"

#include <filesystem>

namespace wf {
namespace {

// What determines the samples.
std::string decisive_settings(const SampleModel& model, const LatentCodec* codec) {
  const auto& config = model.config;
  return str(codec ? codec->settings() : "", "model: ", config.model.name,
             "\nweights: ", weights_checksum(*model.model), "\nrounding: truncate(127.5 x + 128)\n",
             list_settings(config, {"DIFFUSION.", "SAMPLE.", "AMP"}));
}

void draw_many(const SampleModel& model, const SampleFiles& files, const SampleGenerator& generator,
               LatentCodec* codec, Distributed& ranks) {
  SampleRunOptions options;
  options.directory = files.directory;
  options.images = files.images;
  options.shard = files.shard;
  options.classes = model.model->options.num_classes();
  options.balanced = files.balanced;
  options.seed = static_cast<uint64_t>(model.config.sample.seed);
  options.latents = denoises_latents(model.config);
  options.codec = codec;
  options.settings = decisive_settings(model, codec);
  catch_stop_signals(/*announce=*/ranks.is_root());
  run_samples(generator, options, ranks);
}

// The autoencoder of --vae, if any.
std::unique_ptr<LatentCodec> open_codec(const SampleModel& model, const SampleFiles& files,
                                        const SamplingOptions& sampling) {
  if (files.vae.empty()) return nullptr;
  WF_CHECK(denoises_latents(model.config), "--vae: this model generates images, not latents");
  auto options = files.decoding;
  options.device = sampling.device;
  options.amp = sampling.amp;
  auto codec = std::make_unique<LatentCodec>(files.vae, options);
  WF_CHECK(codec->channels() == model.model->options.channels(), files.vae, ": latents of ",
           codec->channels(), " channels, and the model's have ", model.model->options.channels());
  return codec;
}

}  // namespace

int draw_files(const SampleModelRequest& request, const SampleFiles& files) {
  const auto env = read_launch_env();
  const auto config = sample_config(request);
  const auto device = build_device(config, env);
  const auto model = load_sample_model(request, config, device);
  auto options = sampling_options(model.config, device);
  options.amp = build_amp(model.config);
  options.fixed_batch = files.images > 0;  // the same bytes for any number of ranks
  const SampleGenerator generator(model.model, options);
  const auto codec = open_codec(model, files, options);
  std::error_code problem;
  std::filesystem::create_directories(files.directory, problem);
  WF_CHECK(!problem, files.directory,
           ": cannot create the directory (--output): ", problem.message());
  const auto record = [&] { write_sample_settings(request, model, files, codec.get()); };
  if (files.images > 0) {
    const auto ranks = build_distributed(config, env, device);
    draw_many(model, files, generator, codec.get(), *ranks);
    ranks->on_root("settings", record);
  } else {
    draw_grid(request, model, files, generator, codec.get());
    record();
  }
  return 0;
}

}  // namespace wf
