#include "engine/classification/classification_task.h"

#include "weightformer/core/check.h"

#include "data/device_batch.h"
#include "data/transforms.h"
#include "engine/classification/evaluation_report.h"
#include "engine/distributed.h"
#include "engine/eval_mode.h"
#include "engine/image_file.h"
#include "engine/metadata.h"
#include "runtime/log.h"

#include <torch/types.h>

#include <utility>

namespace wf {
namespace {

constexpr uint64_t kMixupStream = 0x6d6978;

// What reports show of a validation: confusions up to so many classes, images, and their side in
// pixels.
constexpr int64_t kMostClasses = 2000, kHardest = 20, kThumbnail = 96;

// Inputs of the model as images: [B, 3, H, W] float32 → uint8.
at::Tensor to_bytes(const at::Tensor& inputs) {
  auto pixels = torch::empty_like(inputs);
  for (int64_t c = 0; c < 3; ++c) {
    pixels.select(1, c).copy_(inputs.select(1, c) * kImagenetStd[c] + kImagenetMean[c]);
  }
  return (pixels * 255).round().clamp(0, 255).to(torch::kByte);
}

}  // namespace

const MetricSpec ClassificationTask::kLoss{"loss", "val loss", "{:.4f}", Better::lower};
const MetricSpec ClassificationTask::kTop1{"acc1", "top-1", "{:.2f} %"};
const MetricSpec ClassificationTask::kTop5{"acc5", "top-5", "{:.2f} %"};
const MetricSpec ClassificationTask::kImages{"images",       "images", "{:.0f}", Better::higher,
                                             /*count=*/true, "images"};
const MetricSpec ClassificationTask::kUnreadable{"unreadable",  "unreadable",   "{:.0f}",
                                                 Better::lower, /*count=*/true, "unreadable"};
const MetricSpec ClassificationTask::kRealTop1{"real_acc1",    "ReaL top-1",    "{:.2f} %",
                                               Better::higher, /*count=*/false, "real_acc1"};
const MetricSpec ClassificationTask::kRealImages{"real_images",  "ReaL images",  "{:.0f}",
                                                 Better::higher, /*count=*/true, "real_images"};

ClassificationTask::ClassificationTask(std::shared_ptr<Classifier> model,
                                       std::unique_ptr<Loader> validation,
                                       ClassificationOptions options)
    : Task(model),
      classifier_(std::move(model)),
      validation_(std::move(validation)),
      options_(std::move(options)) {
  if (options_.mixup) mixup_.emplace(*options_.mixup);
}

// Images and targets, mixed.
std::optional<std::vector<at::Tensor>> ClassificationTask::prepare(const Batch& batch,
                                                                   const StepRng& rng) {
  auto images = model_input(batch, options_.device);
  auto targets = batch.labels.to(options_.device, /*non_blocking=*/true);
  if (mixup_) targets = (*mixup_)(images, targets, rng.stream(kMixupStream));
  return std::vector<at::Tensor>{images, targets};
}

std::vector<at::Tensor> ClassificationTask::losses(const std::vector<at::Tensor>& inputs) {
  const auto logits = classifier_->forward(inputs.at(0)).to(torch::kFloat);
  return {classification_loss(logits, inputs.at(1), options_.loss)};
}

at::Tensor ClassificationTask::displayed(const Batch& batch, const StepRng& rng) const {
  auto images = model_input(batch, c10::kCPU).clone();
  if (mixup_) (*mixup_)(images, batch.labels.clamp_min(0), rng.stream(kMixupStream));
  return to_bytes(images);
}

// `final`: wf_train --eval.
Evaluation ClassificationTask::run(const ValidationContext& context, bool final) {
  EvaluateOptions options;
  options.device = context.device;
  options.amp = context.amp;
  options.cancelled = context.cancelled;
  options.rank = context.ranks.rank();
  options.world = context.ranks.world();
  options.confusion = final || classifier_->num_classes() <= kMostClasses;
  options.hardest = final ? 0 : kHardest;
  if (final && !options_.real_labels.empty()) options.real_labels = &options_.real_labels;
  if (context.ranks.world() > 1) {
    options.sum = [&](at::Tensor& tensor) { context.ranks.sum(tensor); };
  }
  return wf::evaluate(*classifier_, *validation_, options);
}

static Metrics metrics_of(const Evaluation& result) {
  using Task = ClassificationTask;
  Metrics metrics;
  metrics.add(Task::kLoss, result.loss);
  metrics.add(Task::kTop1, result.acc1);
  metrics.add(Task::kTop5, result.acc5);
  metrics.add(Task::kImages, static_cast<double>(result.images));
  metrics.add(Task::kUnreadable, static_cast<double>(result.unreadable));
  if (result.real_images > 0) {
    metrics.add(Task::kRealTop1, result.real_acc1);
    metrics.add(Task::kRealImages, static_cast<double>(result.real_images));
  }
  return metrics;
}

std::optional<Metrics> ClassificationTask::validate(const ValidationContext& context) {
  last_ = run(context, /*final=*/false);
  if (!last_.complete) return std::nullopt;
  return metrics_of(last_);
}

std::shared_ptr<const ValidationDetails> ClassificationTask::validation_details() const {
  auto details = std::make_shared<ValidationDetails>();
  auto& classes = details->classes;
  classes = options_.classes;
  while (static_cast<int64_t>(classes.size()) < classifier_->num_classes()) {
    classes.push_back("class " + std::to_string(classes.size()));
  }
  details->confusion = last_.confusion;
  std::vector<int64_t> indices;
  for (const auto& image : last_.hardest) indices.push_back(image.index);
  if (indices.empty()) return details;
  const auto batch = validation_->read(indices);
  const auto images = shrink(to_bytes(model_input(batch, c10::kCPU)), kThumbnail);
  for (size_t i = 0; i < indices.size(); ++i) {
    const auto& image = last_.hardest[i];
    details->worst.push_back({validation_->reader().name(image.index), classes.at(image.truth),
                              classes.at(image.predicted), image.loss, image.probability,
                              images[static_cast<int64_t>(i)]});
  }
  return details;
}

Metrics ClassificationTask::evaluate(const ValidationContext& context,
                                     const std::string& directory) {
  const auto result = run(context, /*final=*/true);
  context.ranks.on_root("report", [&] { write_evaluation(directory, result, options_.classes); });
  return metrics_of(result);
}

void ClassificationTask::check_metadata(const Metadata& saved, const std::string& source) const {
  require_same_classes(saved, options_.classes, source);
}

}  // namespace wf
