#include "weightformer/engine/evaluator.h"

#include "weightformer/core/check.h"
#include "weightformer/data/device_batch.h"
#include "weightformer/engine/meters.h"
#include "weightformer/engine/precision.h"

#include <torch/torch.h>

#include <algorithm>

namespace wf {
namespace {

// Puts a model in evaluation mode and back.
class EvalMode {
 public:
  explicit EvalMode(torch::nn::Module& module) : module_(module), before_(module.is_training()) {
    module_.eval();
  }
  ~EvalMode() { module_.train(before_); }
  EvalMode(const EvalMode&) = delete;
  EvalMode& operator=(const EvalMode&) = delete;

 private:
  torch::nn::Module& module_;
  bool before_;
};

}  // namespace

Evaluation evaluate(Classifier& model, Loader& loader, const EvaluateOptions& options) {
  const torch::InferenceMode inference;
  const EvalMode mode(model);
  // Sums stay on the device: one wait at the end instead of one a batch.
  auto sums = torch::zeros({4}, torch::dtype(torch::kDouble).device(options.device));
  Evaluation result;
  Batch batch;
  loader.start(0);
  while (loader.next(batch)) {
    if (options.cancelled && options.cancelled()) {
      result.complete = false;
      return result;
    }
    const auto images = model_input(batch, options.device);
    const auto labels = batch.labels.to(options.device, /*non_blocking=*/true);
    at::Tensor logits;
    {
      const Autocast autocast(options.amp, options.device.type());
      logits = model.forward(images);
    }
    logits = logits.to(torch::kFloat);
    const auto readable = labels >= 0;
    const auto loss = at::cross_entropy_loss(logits, labels, {}, at::Reduction::Sum, -1);
    const auto top = std::get<1>(logits.topk(std::min<int64_t>(5, logits.size(1)), 1));
    const auto hits = top.eq(labels.unsqueeze(1));
    sums += torch::stack({loss.to(torch::kDouble), hits.slice(1, 0, 1).sum().to(torch::kDouble),
                          hits.sum().to(torch::kDouble), readable.sum().to(torch::kDouble)});
    result.images += labels.size(0);
  }
  const auto total = sums.cpu();
  const double* values = total.data_ptr<double>();
  const double readable = values[3];
  result.unreadable = result.images - static_cast<int64_t>(readable);
  if (readable > 0) result.loss = values[0] / readable;
  if (result.images > 0) {
    result.acc1 = 100 * values[1] / result.images;
    result.acc5 = 100 * values[2] / result.images;
  }
  return result;
}

double throughput(Classifier& model, const at::Tensor& images, const EvaluateOptions& options,
                  int warmup, int timed) {
  const torch::InferenceMode inference;
  const EvalMode mode(model);
  const auto input = images.to(options.device);
  const auto run = [&](int times) {
    for (int i = 0; i < times; ++i) {
      const Autocast autocast(options.amp, options.device.type());
      model.forward(input);
    }
    if (options.device.is_cuda()) torch::cuda::synchronize(options.device.index());
  };
  run(warmup);
  const Stopwatch watch;
  run(timed);
  return static_cast<double>(timed) * images.size(0) / watch.seconds();
}

}  // namespace wf
