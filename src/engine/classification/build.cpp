#include "engine/classification/build.h"

#include "weightformer/core/check.h"
#include "weightformer/nn/mixers.h"

#include "data/image_reader.h"
#include "data/sources/real_labels.h"
#include "data/sources/split_dataset.h"
#include "engine/build_data.h"
#include "engine/classification/classification_task.h"
#include "engine/model_cost.h"
#include "runtime/log.h"

#include <ATen/ops/zeros.h>

#include <utility>

namespace wf {
namespace {

RandomErasingOptions erasing_options(const AugConfig& aug) {
  RandomErasingOptions options;
  options.probability = aug.reprob;
  options.count = static_cast<int>(aug.recount);
  options.fill = aug.remode;
  return options;
}

}  // namespace

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

void warn_of_uncovered_pixels(const std::string& what, int64_t height, int64_t width,
                              int64_t patch) {
  const int64_t rows = height % patch, columns = width % patch;
  if (rows == 0 && columns == 0) return;
  log::warning(
      "{} of {} x {} pixels: the patches have {} x {}, so the last {} rows and {} columns have no "
      "effect; multiples of {} use every pixel",
      what, height, width, patch, patch, rows, columns, patch);
}

int64_t patch_size(const Config& config) {
  // 0: that of the named model.
  const auto& settings = config.model;
  return settings.patch_size ? settings.patch_size : classifier_options(settings.name).patch_size();
}

std::shared_ptr<Classifier> build_classifier(const Config& config, c10::Device device) {
  const auto& settings = config.model;
  auto options = classifier_options(settings.name);
  options.num_classes(settings.num_classes)
      .drop_rate(settings.drop_rate)
      .drop_path_rate(settings.drop_path_rate)
      .linear_predictor(settings.linear_predictor)
      .conv_predictor(settings.conv_predictor)
      .recompute(config.train.use_checkpoint);
  // 0: that of the named model.
  if (settings.dim) options.dim(settings.dim);
  if (settings.depth) options.depth(settings.depth);
  options.patch_size(patch_size(config));
  require_memory_for_depth(options.depth(), [options](int64_t depth) {
    return make_classifier(ClassifierOptions(options).depth(depth));
  });
  auto model = make_classifier(options);
  model->to(device);
  return model;
}

std::function<void()> classifier_forward(const Config& config, Model& model, int64_t images) {
  const auto side = config.data.img_size;
  const auto input = at::zeros({images, 3, side, side}, model.parameters()[0].options());
  return [&model, input] { dynamic_cast<Classifier&>(model).forward(input); };
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

void check_classification(const Config& config) {
  classifier_options(config.model.name);  // throws for an unknown name
  check_predictors({"auto", config.model.linear_predictor, config.model.conv_predictor});
  if (!config.eval_mode && !config.throughput_mode) build_train_transform(config);
}

// The training set is null unless `request` trains. `classes`: the numbering of a checkpoint.
struct Sets {
  std::shared_ptr<const Dataset> train, validation;
};

static Sets open_sets(const Config& config, const TaskRequest& request,
                      std::vector<std::string> classes) {
  const auto source = data_source(config.data, request.env);
  const bool split = config.data.val_split > 0;
  Sets sets;
  if (request.train || split) {
    sets.train = open_on_all_ranks("training set", source, "train", classes, request.ranks);
    classes = sets.train->classes();
  }
  if (split) {
    const auto seed = static_cast<uint64_t>(config.seed);
    auto parts = split_dataset(sets.train, config.data.val_split, seed);
    sets = {std::move(parts.train), std::move(parts.held_out)};
  } else {
    sets.validation = open_on_all_ranks("validation set", source, "val", classes, request.ranks);
  }
  if (!request.train) sets.train = nullptr;
  return sets;
}

TaskSetup build_classification(const Config& config, const TaskRequest& request) {
  const auto source = data_source(config.data, request.env);
  const auto side = config.data.img_size;
  warn_of_uncovered_pixels("DATA.IMG_SIZE: images", side, side, patch_size(config));
  ClassificationOptions options;
  options.device = request.device;
  options.loss = build_loss(config);
  options.mixup = build_mixup(config);
  const auto numbering = request.saved.find("classes");
  if (numbering != request.saved.end()) options.classes = numbering->second;
  std::unique_ptr<Transform> augmentation;
  if (request.train) augmentation = build_train_transform(config);  // a bad one costs no listing
  const auto [train_set, dataset] = open_sets(config, request, options.classes);
  const auto count = static_cast<int64_t>(dataset->classes().size());
  const auto images =
      train_set ? str(train_set->size(), " training and ", dataset->size()) : str(dataset->size());
  log::info("{}: {} classes, {} validation images", source.path, count, images);
  WF_CHECK(count == config.model.num_classes, source.path, " has ", count,
           " classes and MODEL.NUM_CLASSES is ", config.model.num_classes,
           ": set it with --opts MODEL.NUM_CLASSES ", count);
  options.classes = dataset->classes();
  if (!config.data.real_labels.empty()) {
    options.real_labels = real_labels(*dataset, config.data.real_labels);
  }
  const bool bytes = request.device.is_cuda();
  std::unique_ptr<Loader> train;
  if (train_set) {
    auto reader = make_image_reader(train_set, std::move(augmentation), bytes);
    train = build_loader(config, std::move(reader), /*train=*/true, request);
  }
  auto reader = make_image_reader(dataset, build_eval_transform(config), bytes);
  auto validation = build_loader(config, std::move(reader), /*train=*/false, request);
  auto task = std::make_unique<ClassificationTask>(build_classifier(config, request.device),
                                                   std::move(validation), std::move(options));
  return {std::move(task), std::move(train)};
}

}  // namespace wf
