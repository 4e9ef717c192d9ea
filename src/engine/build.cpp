#include "weightformer/engine/build.h"

#include "weightformer/config/describe.h"
#include "weightformer/core/check.h"
#include "weightformer/core/log.h"
#include "weightformer/data/image_folder.h"

#include <torch/torch.h>

#include <algorithm>

namespace wf {
namespace {

TransformOptions transform_options(const Config& config) {
  TransformOptions options;
  options.size = static_cast<int>(config.data.img_size);
  options.interpolation =
      config.data.interpolation == "bicubic" ? Interpolation::bicubic : Interpolation::bilinear;
  options.crop = config.test.crop;
  options.crop_padding = static_cast<int>(config.aug.crop_padding);
  options.hflip = config.aug.hflip;
  return options;
}

RandomErasingOptions erasing_options(const AugConfig& aug) {
  RandomErasingOptions options;
  options.probability = aug.reprob;
  options.count = static_cast<int>(aug.recount);
  if (aug.remode == "const") options.fill = RandomErasingOptions::Fill::zero;
  if (aug.remode == "rand") options.fill = RandomErasingOptions::Fill::color;
  return options;
}

std::unique_ptr<Loader> make_loader(const Config& config, std::shared_ptr<const Dataset> dataset,
                                    std::unique_ptr<Transform> transform, bool train) {
  LoaderOptions options;
  options.batch_size = config.data.batch_size;
  options.workers = static_cast<int>(config.data.num_workers);
  options.train = train;
  options.drop_last = train;
  options.bytes = build_device(config).is_cuda();
  options.seed = static_cast<uint64_t>(config.seed);
  const int64_t repeats = train ? std::max<int64_t>(1, config.aug.repeated) : 1;
  Sampler sampler(dataset->size(), /*shuffle=*/train, options.seed, 0, 1, repeats);
  return std::make_unique<Loader>(std::move(dataset), std::move(transform), std::move(sampler),
                                  options);
}

const std::string& checked_data_path(const Config& config) {
  WF_CHECK(!config.data.data_path.empty(),
           "DATA.DATA_PATH is not set: give --data-path FOLDER, which holds train/CLASS/* and "
           "val/CLASS/*");
  WF_CHECK(config.data.dataset == "imagenet" && !config.data.zip_mode,
           "DATA.DATASET cifar100 and DATA.ZIP_MODE are not built yet: use an image folder");
  return config.data.data_path;
}

}  // namespace

c10::Device build_device(const Config& config) {
  const bool cuda = torch::cuda::is_available();
  WF_CHECK(config.device != "cuda" || cuda,
           "DEVICE cuda: no GPU can be used here (no driver, no device, or a build with "
           "WF_CUDA=OFF); --device cpu trains on the processor");
  if (config.device == "cpu" || !cuda) return c10::kCPU;
  return c10::Device(c10::kCUDA, 0);
}

std::shared_ptr<Classifier> build_classifier(const Config& config, c10::Device device) {
  ClassifierOverrides overrides;
  overrides.num_classes = config.model.num_classes;
  overrides.dim = config.model.dim;
  overrides.depth = config.model.depth;
  overrides.patch_size = config.model.patch_size;
  overrides.drop_path_rate = config.model.drop_path_rate;
  auto model = create_classifier(config.model.name, overrides);
  model->to(device);
  return model;
}

std::unique_ptr<Transform> build_eval_transform(const Config& config) {
  return make_eval_transform(transform_options(config));
}

std::unique_ptr<Transform> build_train_transform(const Config& config) {
  auto options = transform_options(config);
  options.random_interpolation = config.data.interpolation == "random";
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
  if (aug.mixup_mode == "pair") options.mode = MixupOptions::Mode::pair;
  if (aug.mixup_mode == "elem") options.mode = MixupOptions::Mode::elem;
  options.label_smoothing = config.model.label_smoothing;
  options.num_classes = config.model.num_classes;
  return options;
}

LossOptions build_loss(const Config& config) {
  LossOptions options;
  if (config.train.loss == "bce") options.kind = LossOptions::Kind::binary;
  options.threshold = config.train.bce_threshold;
  options.label_smoothing = config.model.label_smoothing;
  return options;
}

Loaders build_loaders(const Config& config) {
  auto transform = build_train_transform(config);  // first: a bad policy costs no listing
  const auto train = std::make_shared<ImageFolder>(checked_data_path(config) + "/train");
  for (const auto& name : train->empty_classes()) {
    log::warning("{}/train/{}: a class without pictures", config.data.data_path, name);
  }
  auto loaders = build_validation_loader(config, train->classes());
  loaders.train = make_loader(config, train, std::move(transform), true);
  return loaders;
}

Loaders build_validation_loader(const Config& config, std::vector<std::string> classes) {
  const std::string root = checked_data_path(config);
  const auto validation = std::make_shared<ImageFolder>(root + "/val", std::move(classes));
  const auto count = static_cast<int64_t>(validation->classes().size());
  WF_CHECK(count == config.model.num_classes, root, " has ", count,
           " classes and MODEL.NUM_CLASSES is ", config.model.num_classes,
           ": set it with --opts MODEL.NUM_CLASSES ", count);
  Loaders loaders;
  loaders.classes = validation->classes();
  loaders.validation = make_loader(config, validation, build_eval_transform(config), false);
  return loaders;
}

LrScheduleOptions build_schedule(const Config& config, int64_t batches_per_epoch, int world) {
  const auto& train = config.train;
  const double scale = static_cast<double>(config.data.batch_size) * world / 512.0;
  LrScheduleOptions schedule;
  schedule.name = train.lr_scheduler.name;
  schedule.base_lr = train.base_lr * scale;
  schedule.warmup_lr = train.warmup_lr * scale;
  schedule.min_lr = train.min_lr * scale;
  schedule.total_steps = train.epochs * batches_per_epoch;
  schedule.warmup_steps = train.warmup_epochs * batches_per_epoch;
  schedule.decay_steps = train.lr_scheduler.decay_epochs * batches_per_epoch;
  schedule.decay_rate = train.lr_scheduler.decay_rate;
  return schedule;
}

TrainState build_train_state(const Config& config, std::shared_ptr<Classifier> model,
                             const Loaders& loaders, int world) {
  TrainState state;
  OptimizerOptions options;
  options.name = config.train.optimizer.name;
  options.eps = config.train.optimizer.eps;
  options.beta1 = config.train.optimizer.betas[0];
  options.beta2 = config.train.optimizer.betas[1];
  options.momentum = config.train.optimizer.momentum;
  state.optimizer = make_optimizer(options, param_groups(*model, config.train.weight_decay));
  state.model = std::move(model);
  state.schedule = build_schedule(config, loaders.train->batches(), world);
  state.progress.epoch = config.train.start_epoch;
  state.progress.step = config.train.start_epoch * loaders.train->batches();
  state.classes = loaders.classes;
  state.config = dump_yaml(config);
  return state;
}

TrainerOptions build_trainer_options(const Config& config, c10::Device device) {
  TrainerOptions options;
  options.epochs = config.train.epochs + config.train.cooldown_epochs;
  options.clip_grad = config.train.clip_grad;
  options.loss = build_loss(config);
  options.mixup = build_mixup(config);
  options.amp = config.amp;
  options.device = device;
  options.print_freq = config.print_freq;
  options.seed = static_cast<uint64_t>(config.seed);
  return options;
}

std::vector<std::string> settings_not_built(const Config& config) {
  std::vector<std::string> out;
  const auto note = [&](bool asked, const std::string& what) {
    if (asked) out.push_back(what);
  };
  note(config.model.drop_rate > 0, str("MODEL.DROP_RATE ", config.model.drop_rate));
  note(config.train.use_checkpoint, "TRAIN.USE_CHECKPOINT");
  return out;
}

}  // namespace wf
