#include "sample_files.h"

#include "weightformer/core/check.h"
#include "weightformer/serialization/weights.h"

#include "config/describe.h"
#include "dist/launch_env.h"
#include "engine/build.h"
#include "engine/diffusion/build.h"
#include "engine/diffusion/sample_run.h"
#include "engine/distributed.h"
#include "runtime/log.h"
#include "runtime/stop_signal.h"
#include "sample_preset.h"
#include "weights_checksum.h"

#include <filesystem>

namespace wf {
namespace {

// What determines the samples.
std::string decisive_settings(const SampleModel& model) {
  const auto& config = model.config;
  return str("model: ", config.model.name, "\nweights: ", weights_checksum(*model.model),
             "\nrounding: truncate(127.5 x + 128)\n",
             list_settings(config, {"DIFFUSION.", "SAMPLE.", "AMP"}));
}

void draw_many(const SampleModel& model, const SampleFiles& files, const SampleGenerator& generator,
               Distributed& ranks) {
  SampleRunOptions options;
  options.directory = files.directory;
  options.images = files.images;
  options.shard = files.shard;
  options.classes = model.model->options.num_classes();
  options.balanced = files.balanced;
  options.seed = static_cast<uint64_t>(model.config.sample.seed);
  options.latents = model.config.data.dataset == DatasetKind::latents;
  options.settings = decisive_settings(model);
  catch_stop_signals(/*announce=*/ranks.is_root());
  run_samples(generator, options, ranks);
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
  std::error_code problem;
  std::filesystem::create_directories(files.directory, problem);
  WF_CHECK(!problem, files.directory,
           ": cannot create the directory (--output): ", problem.message());
  const auto record = [&] { write_sample_settings(files.preset, request, model, files); };
  if (files.images > 0) {
    const auto ranks = build_distributed(config, env, device);
    draw_many(model, files, generator, *ranks);
    ranks->on_root("settings", record);
  } else {
    draw_grid(request, model, files, generator);
    record();
  }
  return 0;
}

}  // namespace wf
