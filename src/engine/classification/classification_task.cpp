#include "engine/classification/classification_task.h"

#include "weightformer/core/check.h"

#include "data/device_batch.h"
#include "engine/classification/evaluation_report.h"
#include "engine/distributed.h"
#include "engine/eval_mode.h"
#include "engine/metadata.h"
#include "runtime/log.h"

#include <torch/types.h>

#include <utility>

namespace wf {
namespace {

constexpr uint64_t kMixupStream = 0x6d6978;

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

at::Tensor ClassificationTask::loss(const Batch& batch, const StepRng& rng) {
  auto images = model_input(batch, options_.device);
  auto targets = batch.labels.to(options_.device, /*non_blocking=*/true);
  if (mixup_) targets = (*mixup_)(images, targets, rng.stream(kMixupStream));
  const auto logits = classifier_->forward(images).to(torch::kFloat);
  return classification_loss(logits, targets, options_.loss);
}

Evaluation ClassificationTask::run(const ValidationContext& context, bool confusion) {
  EvaluateOptions options;
  options.device = context.device;
  options.amp = context.amp;
  options.cancelled = context.cancelled;
  options.confusion = confusion;
  if (confusion && !options_.real_labels.empty()) options.real_labels = &options_.real_labels;
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
  const auto result = run(context, /*confusion=*/false);
  if (!result.complete) return std::nullopt;
  return metrics_of(result);
}

Metrics ClassificationTask::evaluate(const ValidationContext& context,
                                     const std::string& directory) {
  const auto result = run(context, /*confusion=*/true);
  context.ranks.on_root("report", [&] { write_evaluation(directory, result, options_.classes); });
  return metrics_of(result);
}

void ClassificationTask::check_metadata(const Metadata& saved, const std::string& source) const {
  require_same_classes(saved, options_.classes, source);
}

}  // namespace wf
