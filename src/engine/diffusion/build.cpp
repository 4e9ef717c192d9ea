#include "engine/diffusion/build.h"

#include "weightformer/core/check.h"
#include "weightformer/nn/mixers.h"

#include "data/image_reader.h"
#include "data/latent_reader.h"
#include "engine/build.h"
#include "engine/build_data.h"
#include "engine/diffusion/diffusion_data.h"
#include "engine/diffusion/diffusion_task.h"
#include "engine/distributed.h"
#include "engine/fidelity/load_network.h"
#include "engine/fidelity/reference.h"
#include "engine/model_cost.h"
#include "runtime/log.h"

#include <ATen/ops/zeros.h>

#include <utility>

namespace wf {
namespace {

DiTOptions model_options(const Config& config) {
  const auto& settings = config.model;
  auto options = dit_options(settings.name);
  options.num_classes(settings.num_classes)
      .channels(config.diffusion.channels)
      .latent_size(config.data.img_size)
      .label_drop(config.diffusion.label_drop)
      .drops_labels(false)  // the task does, by sample
      .learn_sigma(process_options(config.diffusion).learn_sigma)
      .linear_predictor(settings.linear_predictor)
      .conv_predictor(settings.conv_predictor)
      .recompute(config.train.use_checkpoint);
  // 0: that of the named model.
  if (settings.dim) options.dim(settings.dim);
  if (settings.depth) options.depth(settings.depth);
  if (settings.patch_size) options.patch_size(settings.patch_size);
  return options;
}

TimestepLawOptions timestep_options(const DiffusionConfig& diffusion) {
  TimestepLawOptions options;
  options.kind = diffusion.timesteps;
  options.mean = diffusion.timestep_mean;
  options.std = diffusion.timestep_std;
  options.shift = diffusion.shift;
  options.steps = diffusion.steps;
  return options;
}

// The settings that a checkpoint must agree on, as they change the meaning of the weights.
Metadata process_facts(const DiffusionConfig& diffusion) {
  if (diffusion.process == ProcessKind::flow) return {{"process", {"flow"}}};
  return {{"process",
           {"gaussian", str(diffusion.steps), name_of(diffusion.betas),
            name_of(diffusion.prediction), diffusion.learn_sigma ? "learn_sigma" : "fixed sigma"}}};
}

// `reduction`: pixels of a side that become one of the data.
TransformOptions transform_options(const Config& config, bool flip, int64_t reduction) {
  TransformOptions options;
  options.size = static_cast<int>(config.data.img_size * reduction);
  options.hflip = flip ? config.aug.hflip : 0;
  return options;
}

std::shared_ptr<const SampleReader> image_reader(const Config& config,
                                                 std::shared_ptr<const Dataset> dataset, bool flip,
                                                 int64_t reduction) {
  return make_image_reader(std::move(dataset),
                           make_center_crop_transform(transform_options(config, flip, reduction)),
                           /*bytes=*/true);
}

// Training and validation samples of a run.
struct Readers {
  std::shared_ptr<const SampleReader> train, validation;
  std::vector<std::string> classes;
};

void require_classes(const std::string& source, int64_t count, int64_t expected) {
  WF_CHECK(count == expected, source, " has ", count, " classes and MODEL.NUM_CLASSES is ",
           expected, ": set it with --opts MODEL.NUM_CLASSES ", count);
}

Readers open_images(const Config& config, const TaskRequest& request, int64_t reduction) {
  const auto source = data_source(config.data, request.env);
  Readers out;
  const auto numbering = request.saved.find("classes");
  if (numbering != request.saved.end()) out.classes = numbering->second;
  std::shared_ptr<const Dataset> train, validation;
  const bool has_validation = has_split(source, "val");
  if (request.train || !has_validation) {
    train = open_on_all_ranks("training set", source, "train", out.classes, request.ranks);
    out.classes = train->classes();
    out.train = image_reader(config, train, /*flip=*/true, reduction);
  }
  if (has_validation) {
    validation = open_on_all_ranks("validation set", source, "val", out.classes, request.ranks);
  } else {
    log::info("{}: no validation images, so the validation loss is that of training images",
              source.path);
  }
  const auto& held_out = validation ? validation : train;
  out.classes = held_out->classes();
  require_classes(source.path, static_cast<int64_t>(out.classes.size()), config.model.num_classes);
  out.validation = image_reader(config, held_out, /*flip=*/false, reduction);
  return out;
}

// Throws wf::Error unless the model fits `latents` and all ranks have as many.
void require_fitting(const Config& config, const Latents& latents, const std::string& path,
                     const TaskRequest& request) {
  WF_CHECK(
      latents.channels() == config.diffusion.channels && latents.side() == config.data.img_size,
      path, ": latents of [", latents.channels(), ", ", latents.side(), ", ", latents.side(),
      "]: set DIFFUSION.CHANNELS ", latents.channels(), " and DATA.IMG_SIZE ", latents.side());
  const auto classes = static_cast<int64_t>(latents.classes().size());
  if (classes > 0) require_classes(path, classes, config.model.num_classes);
  if (request.ranks && request.ranks->world() > 1) {
    request.ranks->require_equal("latents",
                                 str(latents.size(), " of ", latents.channels(), " channels"),
                                 "give all ranks the same data (DATA.DATA_PATH)");
  }
}

// Latents of the training set and, where there is a set val beside train, of a held-out one.
Readers open_encoded(const Config& config, const TaskRequest& request) {
  const auto& path = config.data.data_path;
  WF_CHECK(!path.empty(), "DATA.DATA_PATH is not set: give --data-path DIRECTORY of the latents");
  Readers out;
  const auto open = [&](const std::string& place, bool draw) {
    auto latents = open_latents(place, {config.data.latent_scale, config.aug.hflip});
    require_fitting(config, *latents, place, request);
    out.classes = latents->classes();
    return make_latent_reader(std::move(latents), config.model.num_classes, draw);
  };
  const auto split = latent_split(path, "train");
  const auto train = split.empty() ? path : split;
  const auto held_out = split.empty() ? "" : latent_split(path, "val");
  if (request.train) out.train = open(train, /*draw=*/true);
  out.validation = open(held_out.empty() ? train : held_out, /*draw=*/false);
  if (held_out.empty()) {
    log::info("{}: no val beside train, so the validation loss is that of training samples", path);
  }
  return out;
}

// DATA.VAE, if it is set.
std::shared_ptr<LatentCodec> open_codec(const Config& config, const TaskRequest& request) {
  if (config.data.vae.empty()) return nullptr;
  constexpr int64_t kBatch = 8;
  LatentCodecOptions options;
  options.batch_size = std::min(kBatch, config.data.batch_size);
  options.device = request.device;
  options.amp = build_amp(config);
  auto codec = std::make_shared<LatentCodec>(config.data.vae, options);
  WF_CHECK(codec->channels() == config.diffusion.channels, config.data.vae, ": latents of ",
           codec->channels(), " channels: set DIFFUSION.CHANNELS ", codec->channels());
  if (config.data.dataset != DatasetKind::latents) codec->autoencoder();  // it must encode
  return codec;
}

// FID.*, if there is to be one.
std::shared_ptr<SampleFidelity> open_fidelity(const Config& config, const TaskRequest& request) {
  if (config.fid.images == 0) return nullptr;
  Distributed single;
  auto network = load_inception_network(config.fid.weights, config.fid.input, request.device);
  auto reference =
      reference_statistics(config.fid.reference, *network, request.ranks ? *request.ranks : single);
  SampleFidelityOptions options;
  options.images = config.fid.images;
  options.classes = config.model.num_classes;
  options.seed = static_cast<uint64_t>(config.sample.seed);
  options.batch_size = config.sample.batch_size;
  return std::make_shared<SampleFidelity>(std::move(network), std::move(reference), options);
}

// Throws wf::Error unless the settings of FID.* suffice.
void check_fidelity(const Config& config) {
  const auto& fid = config.fid;
  WF_CHECK(fid.images > 0 || !fid.best, "FID.BEST needs a FID: set FID.IMAGES above 0");
  if (fid.images == 0) return;
  WF_CHECK(fid.images >= 2, "FID.IMAGES ", fid.images, ": a covariance needs at least 2");
  WF_CHECK(!fid.reference.empty() && !fid.weights.empty(), "FID.IMAGES needs FID.REFERENCE, ",
           "images or statistics, and FID.WEIGHTS, the weights of Inception-v3 (docs/fid.md)");
  WF_CHECK(config.data.dataset != DatasetKind::latents || !config.data.vae.empty(),
           "FID.IMAGES: samples are latents, and DATA.VAE is not set, which decodes them");
}

}  // namespace

std::shared_ptr<DiTImpl> build_dit(const Config& config, c10::Device device) {
  const auto options = model_options(config);
  require_memory_for_depth(options.depth(), [options](int64_t depth) {
    return std::make_shared<DiTImpl>(DiTOptions(options).depth(depth));
  });
  auto model = std::make_shared<DiTImpl>(options);
  model->to(device);
  return model;
}

std::shared_ptr<DiTImpl> build_dit_for(const Config& config, const Weights& weights,
                                       c10::Device device) {
  if (weights.settings.count("MODEL.TYPE")) return build_dit(config, device);
  auto model = std::make_shared<DiTImpl>(dit_options(config.model.name, weights.tensors));
  model->to(device);
  return model;
}

std::function<void()> dit_forward(const Config& config, Model& model, int64_t samples) {
  const auto side = config.data.img_size;
  const auto floats = model.parameters()[0].options();
  const auto x = at::zeros({samples, config.diffusion.channels, side, side}, floats);
  const auto t = at::zeros({samples}, floats);
  const auto labels = at::zeros({samples}, floats.dtype(at::kLong));
  return [&model, x, t, labels] { dynamic_cast<DiTImpl&>(model).forward(x, t, labels); };
}

ProcessOptions process_options(const DiffusionConfig& diffusion) {
  ProcessOptions options;
  options.kind = diffusion.process;
  options.betas = diffusion.betas;
  options.steps = diffusion.steps;
  options.prediction = diffusion.prediction;
  options.learn_sigma = diffusion.process == ProcessKind::gaussian && diffusion.learn_sigma;
  options.min_snr_gamma = diffusion.min_snr_gamma;
  return options;
}

bool denoises_latents(const Config& config) {
  return config.data.dataset == DatasetKind::latents || !config.data.vae.empty();
}

SamplingOptions sampling_options(const Config& config, c10::Device device) {
  const auto& sample = config.sample;
  SamplingOptions options;
  options.process = process_options(config.diffusion);
  options.solver.kind = sample.sampler;
  options.solver.steps = sample.steps;
  options.solver.eta = sample.eta;
  options.solver.shift = sample.shift;
  options.solver.clip = sample.clip;
  options.guidance.scale = config.diffusion.label_drop > 0 ? sample.scale : 1;
  options.guidance.channels = sample.guided_channels;
  options.guidance.low = sample.interval[0];
  options.guidance.high = sample.interval[1];
  options.height = options.width = config.data.img_size;
  options.seed = static_cast<uint64_t>(sample.seed);
  options.batch_size = sample.batch_size;
  options.device = device;
  return options;
}

void check_diffusion(const Config& config) {
  WF_CHECK(config.data.val_split == 0,
           "DATA.VAL_SPLIT is for classification; without a validation set the validation loss of "
           "image generation is that of training images");
  const auto& model = config.model;
  check_predictors({"auto", model.linear_predictor, model.conv_predictor});
  const auto patch = model.patch_size ? model.patch_size : dit_options(model.name).patch_size();
  const bool images = !denoises_latents(config);
  WF_CHECK(config.data.img_size % patch == 0, "DATA.IMG_SIZE ", config.data.img_size,
           " is not a multiple of the patch size, ", patch, ": set MODEL.PATCH_SIZE");
  WF_CHECK(!images || config.diffusion.channels == 1 || config.diffusion.channels == 3,
           "DIFFUSION.CHANNELS ", config.diffusion.channels,
           ": images have 1 or 3; latents are named by DATA.DATASET latents");
  make_process(process_options(config.diffusion));  // throws for settings that do not fit
  check_fidelity(config);
  if (config.sample.every > 0 || config.fid.images > 0) {
    make_solver(process_options(config.diffusion), sampling_options(config, c10::kCPU).solver);
  }
}

TaskSetup build_diffusion(const Config& config, const TaskRequest& request) {
  // Before the other networks, which also draw initial weights from the default generator.
  const auto dit = build_dit(config, request.device);
  DiffusionOptions options;
  options.codec = open_codec(config, request);
  const bool encoded = config.data.dataset == DatasetKind::latents;
  auto readers = encoded
                     ? open_encoded(config, request)
                     : open_images(config, request, options.codec ? options.codec->reduction() : 1);
  options.process = process_options(config.diffusion);
  options.timesteps = timestep_options(config.diffusion);
  options.label_drop = config.diffusion.label_drop;
  options.device = request.device;
  options.seed = static_cast<uint64_t>(config.seed);
  options.classes = std::move(readers.classes);
  options.facts = process_facts(config.diffusion);
  if (options.codec && !encoded) options.facts["vae"] = {options.codec->checksum()};
  options.grid.every = config.sample.every;
  options.grid.columns = config.sample.columns;
  options.grid.latents = denoises_latents(config);
  options.grid.sampling = sampling_options(config, request.device);
  options.fidelity = open_fidelity(config, request);
  options.fidelity_every = config.fid.every;
  options.select_by_fidelity = config.fid.best;
  options.facts["selection"] = {config.fid.best ? "FID" : "loss"};
  auto held_out = evenly_spaced(std::move(readers.validation), config.diffusion.val_samples);
  log::info("{}: {} training samples, validation loss on {}", config.data.data_path,
            readers.train ? readers.train->size() : 0, held_out->size());
  auto validation = build_loader(config, std::move(held_out), /*train=*/false, request);
  std::unique_ptr<Loader> train;
  if (request.train)
    train = build_loader(config, std::move(readers.train), /*train=*/true, request);
  auto task = std::make_unique<DiffusionTask>(dit, std::move(validation), std::move(options));
  return {std::move(task), std::move(train)};
}

}  // namespace wf
