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
#include <sstream>

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
  options.fast_decode = config.data.fast_decode;
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

DataSourceOptions data_source(const Config& config) {
  const auto& data = config.data;
  WF_CHECK(!data.data_path.empty(),
           "DATA.DATA_PATH is not set: give --data-path FOLDER, which holds train/CLASS/* and "
           "val/CLASS/*");
  DataSourceOptions source;
  source.path = data.data_path;
  source.dataset = data.dataset;
  source.zip = data.zip_mode;
  source.cache_listing = data.cache_listing;
  source.cache.mode = data.cache_mode == "no"     ? CacheMode::no
                      : data.cache_mode == "full" ? CacheMode::full
                                                  : CacheMode::part;
  const auto env = read_launch_env();
  source.cache.rank = env.rank;
  source.cache.world = env.world;
  return source;
}

// The first line of `own` that `other` has differently, both of dump_yaml().
std::string first_difference(const std::string& own, const std::string& other) {
  const auto bare = [](const std::string& line) {
    return line.substr(std::min(line.find_first_not_of(' '), line.size()));
  };
  std::istringstream ours(own), theirs(other);
  std::string section, line, expected;
  while (std::getline(ours, line) && std::getline(theirs, expected)) {
    if (line != expected) {
      return str(line[0] == ' ' ? section : "", bare(line), " where rank 0 has ", bare(expected));
    }
    if (line.back() == ':') section = bare(line) + " ";
  }
  return "more or fewer of them";
}

// Ranks that train with other numbers would go on without a word, or end in a riddle. What belongs
// to a machine may differ.
void require_same_settings(const Config& config, ProcessGroup& group) {
  const auto own = dump_yaml(without_local_settings(config)), root = group.broadcast(own);
  auto differ = torch::full({1}, own == root ? 0 : 1, torch::kLong);
  group.sum(differ);
  WF_CHECK(own == root, "rank ", group.rank(),
           " was started with other settings than rank 0: ", first_difference(own, root),
           "; give all processes the same command");
  WF_CHECK(differ.item<int64_t>() == 0,
           "other ranks were started with other settings than "
           "rank 0, and say which; give all processes the same command");
}

}  // namespace

c10::Device build_device(const Config& config, const LaunchEnv& env) {
  const bool cuda = torch::cuda::is_available();
  WF_CHECK(config.device != "cuda" || cuda,
           "DEVICE cuda: no GPU can be used here (no driver, no device, or a build with "
           "WF_CUDA=OFF); --device cpu trains on the processor");
  if (config.device == "cpu" || !cuda) return c10::kCPU;
  const int gpu = pick_gpu(env, static_cast<int>(torch::cuda::device_count()));
  const c10::Device device(c10::kCUDA, static_cast<c10::DeviceIndex>(gpu));
  // What names no GPU, such as a library's workspace, must not land on another process's.
  c10::impl::getDeviceGuardImpl(c10::kCUDA)->setDevice(device);
  return device;
}

std::shared_ptr<Classifier> build_classifier(const Config& config, c10::Device device) {
  const auto& settings = config.model;
  auto options = classifier_options(settings.name);
  options.num_classes(settings.num_classes).drop_path_rate(settings.drop_path_rate);
  options.recompute(config.train.use_checkpoint);
  // 0: that of the named model.
  if (settings.dim) options.dim(settings.dim);
  if (settings.depth) options.depth(settings.depth);
  if (settings.patch_size) options.patch_size(settings.patch_size);
  auto model = make_classifier(options);
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

Loaders build_loaders(const Config& config, const LaunchEnv& env) {
  auto transform = build_train_transform(config);  // first: a bad policy costs no listing
  const auto train = open_dataset(data_source(config), "train");
  auto loaders = build_validation_loader(config, train->classes(), env);
  loaders.train = make_loader(config, train, std::move(transform), true, env);
  return loaders;
}

Loaders build_validation_loader(const Config& config, std::vector<std::string> classes,
                                const LaunchEnv& env) {
  const auto source = data_source(config);
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
  options.compress = config.dist.compress == "bf16";
  const auto all = std::make_shared<ProcessGroup>(env, device, group);
  require_same_settings(config, *all);
  return std::make_shared<Distributed>(all, options);
}

std::optional<at::ScalarType> build_amp(const Config& config) {
  if (!config.amp) return std::nullopt;
  return config.amp_dtype == "float16" ? at::kHalf : at::kBFloat16;
}

LrScheduleOptions build_schedule(const Config& config, int64_t batches_per_epoch, int world) {
  const auto& train = config.train;
  const double scale =
      static_cast<double>(config.data.batch_size) * train.accumulation_steps * world / 512.0;
  const int64_t steps = batches_per_epoch / train.accumulation_steps;
  LrScheduleOptions schedule;
  schedule.name = train.lr_scheduler.name;
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
  options.name = config.train.optimizer.name;
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
  options.epochs = config.train.epochs + config.train.cooldown_epochs;
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

std::vector<std::string> settings_not_built(const Config& config) {
  std::vector<std::string> out;
  const auto note = [&](bool asked, const std::string& what) {
    if (asked) out.push_back(what);
  };
  note(config.model.drop_rate > 0, str("MODEL.DROP_RATE ", config.model.drop_rate));
  return out;
}

}  // namespace wf
