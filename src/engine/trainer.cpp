#include "weightformer/engine/trainer.h"

#include "weightformer/core/check.h"
#include "weightformer/core/random.h"
#include "weightformer/data/device_batch.h"
#include "weightformer/engine/precision.h"
#include "weightformer/engine/stop_signal.h"

#include <torch/torch.h>

#include <cmath>

namespace wf {
namespace {

// Keep these draws apart from each other and from the loader's.
constexpr uint64_t kDropPathStream = 0x64726f70, kMixupStream = 0x6d6978;

// "gradient of blocks.0.linear1.weight (nan)": the first parameter, in the model's order, that is
// not finite itself or whose gradient is not.
std::string first_bad_parameter(const torch::nn::Module& model) {
  const auto bad = [](const at::Tensor& tensor) {
    return tensor.defined() && !tensor.isfinite().all().item<bool>();
  };
  const auto kind = [](const at::Tensor& tensor) {
    return tensor.isnan().any().item<bool>() ? " (nan)" : " (inf)";
  };
  for (const auto& item : model.named_parameters()) {
    if (bad(item.value())) return item.key() + kind(item.value());
  }
  for (const auto& item : model.named_parameters()) {
    if (bad(item.value().grad())) return "gradient of " + item.key() + kind(item.value().grad());
  }
  return "none (the loss alone)";
}

// Without the sign that a NaN may carry.
std::string shown(double value) { return std::isnan(value) ? "nan" : wf::str(value); }

}  // namespace

Trainer::Trainer(TrainState& state, Loader& train, Loader& validation, TrainerOptions options)
    : state_(state), train_(train), validation_(validation), options_(options) {
  WF_CHECK(train_.batches() > 0,
           "the training set has fewer pictures than one batch: lower DATA.BATCH_SIZE");
  if (options_.mixup) mixup_.emplace(*options_.mixup);
  generator_ = torch::globalContext().defaultGenerator(options_.device).clone();
  state_.model->set_generator(generator_);
  auto& progress = state_.progress;
  WF_CHECK(
      progress.batch == 0 || progress.batches == train_.batches(),
      "the checkpoint stands at batch ", progress.batch, " of ", progress.batches,
      " in its epoch, and an epoch now has ", train_.batches(),
      " batches: resume with the batch size and pictures it was made with, or from a checkpoint "
      "at the end of an epoch");
  progress.batches = train_.batches();
}

Outcome Trainer::run() {
  for (const auto& observer : observers_) observer->on_start(state_);
  while (state_.progress.epoch < options_.epochs) {
    EpochReport report;
    report.epoch = state_.progress.epoch;
    if (!train_epoch(report) || !validate(report)) {
      require_finite_weights();
      for (const auto& observer : observers_) observer->on_stop(state_);
      return Outcome::stopped;
    }
    finish_epoch(report);
  }
  return Outcome::finished;
}

bool Trainer::train_epoch(EpochReport& report) {
  auto& progress = state_.progress;
  state_.model->train();
  // In double and on the device, so that the sum is exact enough and nothing waits for it.
  auto loss_sum =
      torch::full({}, progress.loss_sum, torch::dtype(torch::kDouble).device(options_.device));
  const Stopwatch watch;
  int64_t images = 0;
  Batch batch;
  train_.start(progress.epoch, progress.batch);
  while (train_.next(batch)) {
    const auto step = train_step(batch);
    const int64_t count = batch.labels.size(0);
    loss_sum += step.loss.to(torch::kDouble) * count;
    images += count;
    progress.batch += 1;
    progress.step += 1;
    progress.loss_count += count;

    StepReport at{progress.epoch, options_.epochs, progress.batch, train_.batches(), step.lr};
    const double seconds = watch.seconds();
    at.images_per_s = images / seconds;
    at.data_wait = train_.wait_seconds() / seconds;
    at.seconds_left = static_cast<double>(at.batches - at.batch) * count / at.images_per_s;
    at.measured = at.batch % options_.print_freq == 0 || at.batch == at.batches;
    if (at.measured) {
      at.loss = loss_sum.item<double>() / static_cast<double>(progress.loss_count);
      at.grad_norm = step.grad_norm.item<double>();
    }
    for (const auto& observer : observers_) observer->on_step(state_, at);
    report.images_per_s = at.images_per_s;
    report.data_wait = at.data_wait;
    if (stop_requested()) break;
  }
  progress.loss_sum = loss_sum.item<double>();
  return !stop_requested();
}

Trainer::Step Trainer::train_step(const Batch& batch) {
  auto images = model_input(batch, options_.device);
  auto targets = batch.labels.to(options_.device, /*non_blocking=*/true);
  const auto epoch = static_cast<uint64_t>(state_.progress.epoch);
  const auto number = static_cast<uint64_t>(state_.progress.batch);
  if (mixup_) {
    targets = (*mixup_)(images, targets, CounterRng{options_.seed, kMixupStream, epoch, number});
  }
  generator_.set_current_seed(
      CounterRng{options_.seed, kDropPathStream, static_cast<uint64_t>(state_.progress.step)}
          .next());
  state_.optimizer->zero_grad();
  Step step;
  {
    const Autocast autocast(options_.amp, options_.device.type());
    const auto logits = state_.model->forward(images).to(torch::kFloat);
    step.loss = classification_loss(logits, targets, options_.loss);
  }
  step.loss.backward();
  step.loss = step.loss.detach();
  step.grad_norm = grad_norm(state_.optimizer->groups());
  step.lr = learning_rate(state_.schedule, state_.progress.step - 1);
  require_finite(step);  // before clipping, which would spread one bad gradient to all
  clip_gradients(state_.optimizer->groups(), step.grad_norm, options_.clip_grad);
  state_.optimizer->step(step.lr);
  return step;
}

void Trainer::require_finite(const Step& step) const {
  const auto& progress = state_.progress;
  // Looking makes a GPU wait, so there it happens on measured steps only. The last of an epoch is
  // one, as a checkpoint may follow.
  const int64_t batch = progress.batch + 1;
  const bool measured = batch % options_.print_freq == 0 || batch == train_.batches();
  if (!options_.device.is_cpu() && !measured) return;
  const double loss = step.loss.item<double>(), norm = step.grad_norm.item<double>();
  if (std::isfinite(loss) && std::isfinite(norm)) return;
  throw Error(
      wf::str("training diverged at step ", progress.step, " (epoch ", progress.epoch + 1,
              ", batch ", progress.batch + 1, "): loss ", shown(loss), ", gradient norm ",
              shown(norm), "; first bad parameter: ", first_bad_parameter(*state_.model),
              ". Nothing was saved since; lower TRAIN.BASE_LR or resume an older checkpoint"),
      Error::kDiverged);
}

// Before a save that no measured step came before.
void Trainer::require_finite_weights() const {
  for (const auto& item : state_.model->named_parameters()) {
    if (item.value().isfinite().all().item<bool>()) continue;
    throw Error(wf::str("training diverged before step ", state_.progress.step, ": ", item.key(),
                        " is not finite. Not saved; resume an older checkpoint"),
                Error::kDiverged);
  }
}

bool Trainer::validate(EpochReport& report) {
  EvaluateOptions options{options_.device, options_.amp, stop_requested};
  report.validation = evaluate(*state_.model, validation_, options);
  return report.validation.complete;
}

void Trainer::finish_epoch(EpochReport& report) {
  auto& progress = state_.progress;
  report.lr = learning_rate(state_.schedule, progress.step - 1);
  report.train_loss = progress.loss_sum / static_cast<double>(progress.loss_count);
  report.unreadable = train_.unreadable();
  // ">=": among equals the later one, which has trained longer.
  report.best = report.validation.acc1 >= progress.max_accuracy;
  if (report.best) progress.max_accuracy = report.validation.acc1;
  progress.epoch += 1;
  progress.batch = 0;
  progress.loss_sum = 0;
  progress.loss_count = 0;
  report.last = progress.epoch == options_.epochs;
  for (const auto& observer : observers_) observer->on_epoch(state_, report);
}

}  // namespace wf
