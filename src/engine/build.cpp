#include "weightformer/engine/build.h"

#include "weightformer/config/describe.h"
#include "weightformer/core/check.h"
#include "weightformer/core/log.h"
#include "weightformer/data/image_folder.h"

#include <torch/torch.h>

namespace wf {
namespace {

TransformOptions transform_options(const Config& config) {
  TransformOptions options;
  options.size = static_cast<int>(config.data.img_size);
  options.interpolation =
      config.data.interpolation == "bilinear" ? Interpolation::bilinear : Interpolation::bicubic;
  options.crop = config.test.crop;
  options.crop_padding = static_cast<int>(config.aug.crop_padding);
  options.hflip = config.aug.hflip;
  options.fast_decode = config.data.fast_decode;
  return options;
}

std::unique_ptr<Loader> make_loader(const Config& config, std::shared_ptr<const Dataset> dataset,
                                    std::unique_ptr<Transform> transform, bool train) {
  LoaderOptions options;
  options.batch_size = config.data.batch_size;
  options.workers = static_cast<int>(config.data.num_workers);
  options.train = train;
  options.drop_last = train;
  options.seed = static_cast<uint64_t>(config.seed);
  options.device = build_device(config);
  options.pin_memory = config.data.pin_memory;
  Sampler sampler(dataset->size(), /*shuffle=*/train, options.seed);
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
  return make_train_transform(transform_options(config));
}

Loaders build_loaders(const Config& config) {
  const auto train = std::make_shared<ImageFolder>(checked_data_path(config) + "/train");
  for (const auto& name : train->empty_classes()) {
    log::warning("{}/train/{}: a class without pictures", config.data.data_path, name);
  }
  auto loaders = build_validation_loader(config, train->classes());
  loaders.train = make_loader(config, train, build_train_transform(config), true);
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
  options.label_smoothing = config.model.label_smoothing;
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
  const auto& aug = config.aug;
  note(aug.mixup > 0, str("AUG.MIXUP ", aug.mixup));
  note(aug.cutmix > 0 || aug.cutmix_minmax, str("AUG.CUTMIX ", aug.cutmix));
  note(aug.auto_augment != "none" && !aug.auto_augment.empty(),
       "AUG.AUTO_AUGMENT " + aug.auto_augment);
  note(aug.color_jitter > 0 && (aug.auto_augment == "none" || aug.auto_augment.empty()),
       str("AUG.COLOR_JITTER ", aug.color_jitter));
  note(aug.reprob > 0, str("AUG.REPROB ", aug.reprob));
  note(config.model.drop_rate > 0, str("MODEL.DROP_RATE ", config.model.drop_rate));
  note(config.train.use_checkpoint, "TRAIN.USE_CHECKPOINT");
  return out;
}

}  // namespace wf
