#include "engine/build.h"

#include "weightformer/core/check.h"

#include "config/describe.h"
#include "data/sources/open_dataset.h"
#include "data/sources/real_labels.h"
#include "dist/launch_env.h"
#include "dist/process_group.h"
#include "engine/distributed.h"
#include "runtime/log.h"

#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace wf {
namespace {

TransformOptions transform_options(const Config& config) {
  TransformOptions options;
  options.size = static_cast<int>(config.data.img_size);
  options.interpolation = config.data.interpolation == InterpolationMode::bicubic
                              ? Interpolation::bicubic
                              : Interpolation::bilinear;
  options.crop = config.test.crop;
  options.crop_padding = static_cast<int>(config.aug.crop_padding);
  options.hflip = config.aug.hflip;
  options.fast_decode = config.data.fast_decode;
  return options;
}

RandomErasingOptions erasing_options(const AugConfig& aug) {
  RandomErasingOptions options;
  options.probability = aug.reprob;
  options.count = static_cast<int>(aug.recount);
  options.fill = aug.remode;
  return options;
}

std::unique_ptr<Loader> make_loader(const Config& config, std::shared_ptr<const Dataset> dataset,
                                    std::unique_ptr<Transform> transform, bool train,
                                    const LaunchEnv& env) {
  LoaderOptions options;
  options.batch_size = config.data.batch_size;
  options.workers = static_cast<int>(config.data.num_workers);
  options.train = train;
  options.drop_last = train;
  options.seed = static_cast<uint64_t>(config.seed);
  options.device = build_device(config, env);
  options.bytes = options.device.is_cuda();
  options.pin_memory = config.data.pin_memory;
  const int64_t repeats = train ? std::max<int64_t>(1, config.aug.repeated) : 1;
  // Processes must take the same number of steps, so those that train have even parts.
  Sampler sampler(dataset->size(), /*shuffle=*/train, options.seed, env.rank, env.world, repeats,
                  /*even=*/train);
  return std::make_unique<Loader>(std::move(dataset), std::move(transform), std::move(sampler),
                                  options);
}

DataSourceOptions data_source(const Config& config, const LaunchEnv& env) {
  const auto& data = config.data;
  WF_CHECK(!data.data_path.empty(),
           "DATA.DATA_PATH is not set: give --data-path FOLDER, which holds train/CLASS/* and "
           "val/CLASS/*");
  DataSourceOptions source;
  source.path = data.data_path;
  source.dataset = data.dataset;
  source.zip = data.zip_mode;
  source.cache_listing = data.cache_listing;
  source.cache.mode = data.cache_mode;
  source.cache.rank = env.rank;
  source.cache.world = env.world;
  return source;
}

}  // namespace

c10::Device build_device(const Config& config, const LaunchEnv& env) {
  const bool cuda = torch::cuda::is_available();
  WF_CHECK(config.device != DeviceChoice::cuda || cuda,
           "DEVICE cuda: no GPU can be used here (no driver, no device, or a build with "
           "WF_CUDA=OFF); --device cpu trains on the processor");
  if (config.device == DeviceChoice::cpu || !cuda) return c10::kCPU;
  const int gpu = pick_gpu(env, static_cast<int>(torch::cuda::device_count()));
  const c10::Device device(c10::kCUDA, static_cast<c10::DeviceIndex>(gpu));
  // What names no GPU, such as a library's workspace, must not land on another process's.
  c10::impl::getDeviceGuardImpl(c10::kCUDA)->setDevice(device);
  return device;
}

std::shared_ptr<Classifier> build_classifier(const Config& config, c10::Device device) {
  ClassifierOverrides overrides;
  overrides.num_classes = config.model.num_classes;
  overrides.dim = config.model.dim;
  overrides.depth = config.model.depth;
  overrides.patch_size = config.model.patch_size;
  overrides.drop_rate = config.model.drop_rate;
  overrides.drop_path_rate = config.model.drop_path_rate;
  overrides.recompute = config.train.use_checkpoint;
  auto model = create_classifier(config.model.name, overrides);
  model->to(device);
  return model;
}

std::unique_ptr<Transform> build_eval_transform(const Config& config) {
  return make_eval_transform(transform_options(config));
}

std::unique_ptr<Transform> build_train_transform(const Config& config) {
  auto options = transform_options(config);
  options.random_interpolation = config.data.interpolation == InterpolationMode::random;
  options.auto_augment = config.aug.auto_augment;
  options.color_jitter = config.aug.color_jitter;
  options.erasing = erasing_options(config.aug);
  return make_train_transform(options);
}

std::optional<MixupOptions> build_mixup(const Config& config) {
  const auto& aug = config.aug;
  if (aug.mixup <= 0 && aug.cutmix <= 0 && !aug.cutmix_minmax) return std::nullopt;
  MixupOptions options;
  options.mixup_alpha = aug.mixup;
  options.cutmix_alpha = aug.cutmix;
  options.cutmix_minmax = aug.cutmix_minmax;
  options.probability = aug.mixup_prob;
  options.switch_probability = aug.mixup_switch_prob;
  options.mode = aug.mixup_mode;
  options.label_smoothing = config.model.label_smoothing;
  options.num_classes = config.model.num_classes;
  return options;
}

LossOptions build_loss(const Config& config) {
  LossOptions options;
  options.kind = config.train.loss;
  options.threshold = config.train.bce_threshold;
  options.label_smoothing = config.model.label_smoothing;
  return options;
}

Loaders build_loaders(const Config& config, const LaunchEnv& env) {
  auto transform = build_train_transform(config);  // first: a bad policy costs no listing
  const auto train = open_dataset(data_source(config, env), "train");
  auto loaders = build_validation_loader(config, train->classes(), env);
  loaders.train = make_loader(config, train, std::move(transform), true, env);
  return loaders;
}

Loaders build_validation_loader(const Config& config, std::vector<std::string> classes,
                                const LaunchEnv& env) {
  const auto source = data_source(config, env);
  const auto validation = open_dataset(source, "val", std::move(classes));
  const auto count = static_cast<int64_t>(validation->classes().size());
  WF_CHECK(count == config.model.num_classes, source.path, " has ", count,
           " classes and MODEL.NUM_CLASSES is ", config.model.num_classes,
           ": set it with --opts MODEL.NUM_CLASSES ", count);
  Loaders loaders;
  loaders.classes = validation->classes();
  if (!config.data.real_labels.empty()) {
    loaders.real_labels = real_labels(*validation, config.data.real_labels);
  }
  loaders.validation = make_loader(config, validation, build_eval_transform(config), false, env);
  return loaders;
}

std::shared_ptr<Distributed> build_distributed(const Config& config, const LaunchEnv& env,
                                               c10::Device device) {
  if (env.world == 1) return std::make_shared<Distributed>();
  GroupOptions group;
  group.timeout = std::chrono::milliseconds(std::llround(1000 * config.dist.timeout_s));
  DataParallelOptions options;
  options.bucket_bytes = config.dist.bucket_mb << 20;
  options.find_unused = config.dist.find_unused;
  options.compress = config.dist.compress == GradientCompression::bf16;
  const auto all = std::make_shared<ProcessGroup>(env, device, group);
  // Ranks with different settings would silently diverge or deadlock.
  all->require_equal("settings", list_settings(config, {Scope::training, Scope::run}));
  return std::make_shared<Distributed>(all, options);
}

std::optional<at::ScalarType> build_amp(const Config& config) {
  if (!config.amp) return std::nullopt;
  return config.amp_dtype == AmpDtype::float16 ? at::kHalf : at::kBFloat16;
}

LrScheduleOptions build_schedule(const Config& config, int64_t batches_per_epoch, int world) {
  const auto& train = config.train;
  const double batch =
      static_cast<double>(config.data.batch_size) * train.accumulation_steps * world;
  const double scale = train.lr_scaling == LrScaling::linear ? batch / 512.0 : 1.0;
  const int64_t steps = batches_per_epoch / train.accumulation_steps;
  LrScheduleOptions schedule;
  schedule.kind = train.lr_scheduler.name;
  schedule.base_lr = train.base_lr * scale;
  schedule.warmup_lr = train.warmup_lr * scale;
  schedule.min_lr = train.min_lr * scale;
  schedule.total_steps = train.epochs * steps;
  schedule.warmup_steps = train.warmup_epochs * steps;
  schedule.decay_steps = train.lr_scheduler.decay_epochs * steps;
  schedule.decay_rate = train.lr_scheduler.decay_rate;
  return schedule;
}

TrainState build_train_state(const Config& config, std::shared_ptr<Classifier> model,
                             const Loaders& loaders, int world) {
  TrainState state;
  OptimizerOptions options;
  options.kind = config.train.optimizer.name;
  options.eps = config.train.optimizer.eps;
  options.beta1 = config.train.optimizer.betas[0];
  options.beta2 = config.train.optimizer.betas[1];
  options.momentum = config.train.optimizer.momentum;
  const auto& train = config.train;
  if (!train.freeze.empty()) {
    log::info("{} parameters are frozen by TRAIN.FREEZE", freeze(*model, train.freeze));
  }
  state.optimizer =
      make_optimizer(options, param_groups(*model, train.weight_decay, train.layer_decay));
  const auto device = model->parameters()[0].device();
  if (build_amp(config) == at::kHalf) state.scaler = std::make_unique<GradScaler>(device);
  if (train.ema_decay > 0) state.ema = std::make_unique<Ema>(*model, train.ema_decay);
  state.model = std::move(model);
  state.schedule = build_schedule(config, loaders.train->batches(), world);
  state.progress.epoch = config.train.start_epoch;
  state.progress.step = train.start_epoch * (loaders.train->batches() / train.accumulation_steps);
  state.classes = loaders.classes;
  state.config = dump_yaml(config);
  return state;
}

TrainerOptions build_trainer_options(const Config& config, c10::Device device,
                                     std::shared_ptr<Distributed> distributed) {
  TrainerOptions options;
  options.epochs = config.train.total_epochs();
  options.clip_grad = config.train.clip_grad;
  options.loss = build_loss(config);
  options.mixup = build_mixup(config);
  options.amp = build_amp(config);
  options.accumulation_steps = config.train.accumulation_steps;
  options.device = device;
  options.print_freq = config.print_freq;
  options.save_steps = config.save_steps;
  options.seed = static_cast<uint64_t>(config.seed);
  options.batch_images = config.data.batch_size * (distributed ? distributed->world() : 1);
  options.distributed = std::move(distributed);
  return options;
}

}  // namespace wf
