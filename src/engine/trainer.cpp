#include "weightformer/engine/trainer.h"

#include "weightformer/core/check.h"
#include "weightformer/core/random.h"

#include "data/device_batch.h"
#include "nn/autocast.h"
#include "runtime/log.h"
#include "runtime/stop_signal.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

namespace wf {
namespace {

// Keep these draws apart from each other and from the loader's.
constexpr uint64_t kDropPathStream = 0x64726f70, kMixupStream = 0x6d6978;

// Thirty overflows in a row lead from the first scale to here: that is no longer bad luck.
constexpr double kLowestScale = 1e-4;

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
  if (!options_.distributed) options_.distributed = std::make_shared<Distributed>();
  WF_CHECK(batches_per_epoch() > 0,
           "the training set has fewer pictures than one step takes: lower DATA.BATCH_SIZE or "
           "TRAIN.ACCUMULATION_STEPS");
  if (options_.mixup) mixup_.emplace(*options_.mixup);
  generator_ = torch::globalContext().defaultGenerator(options_.device).clone();
  state_.model->set_generator(generator_);
  find_place();
}

// Where a run goes on that may have been made of other steps.
void Trainer::find_place() {
  auto& progress = state_.progress;
  const int64_t parts = options_.accumulation_steps;
  const int64_t now = options_.batch_images, before = progress.batch_images;
  const bool trained = progress.validation_due();
  const bool regrouped =
      now > 0 && before > 0 && progress.step > 0 &&
      (before != now ||
       progress.step != (progress.epoch * progress.batches + progress.batch) / parts);
  progress.batch_images = now;
  if (regrouped) {
    progress.batch = progress.batch * before / now / parts * parts;
    progress.batches = batches_per_epoch();
    if (trained || progress.batch > progress.batches) progress.batch = progress.batches;
    progress.step = (progress.epoch * progress.batches + progress.batch) / parts;
    log::info(
        "the checkpoint was made with {} pictures a batch, now {}: going on at batch {} of {}",
        before, now, progress.batch, progress.batches);
  }
  if (trained) progress.batch = progress.batches = batches_per_epoch();
  WF_CHECK(
      progress.batch == 0 || progress.batches == batches_per_epoch(),
      "the checkpoint stands at batch ", progress.batch, " of ", progress.batches,
      " in its epoch, and an epoch now has ", batches_per_epoch(),
      " batches: resume with the batch size and pictures it was made with, or from a checkpoint "
      "at the end of an epoch");
  progress.batches = batches_per_epoch();
}

int64_t Trainer::batches_per_epoch() const {
  return train_.batches() / options_.accumulation_steps * options_.accumulation_steps;
}

Outcome Trainer::run() {
  tell("start", [&](Observer& observer) { observer.on_start(state_); });
  while (state_.progress.epoch < options_.epochs) {
    EpochReport report;
    report.epoch = state_.progress.epoch;
    report.last = report.epoch + 1 == options_.epochs;
    const bool trained = train_epoch(report);
    // Validation may take long, and an epoch more.
    if (trained) tell("save", [&](Observer& observer) { observer.on_trained(state_, report); });
    if (!trained || !validate(report)) {
      require_finite_weights();
      tell("last save", [&](Observer& observer) { observer.on_stop(state_); });
      return Outcome::stopped;
    }
    finish_epoch(report);
  }
  return Outcome::finished;
}

bool Trainer::train_epoch(EpochReport& report) {
  auto& progress = state_.progress;
  state_.model->train();
  // The sum of the losses and their number, of this process, but for what was there before, which
  // is of all and counts once. In double and on the device: exact enough, and nothing waits for it.
  auto losses = torch::zeros({2}, torch::kDouble);
  if (options_.distributed->is_root()) {
    losses[0] = progress.loss_sum;
    losses[1] = static_cast<double>(progress.loss_count);
  }
  losses = losses.to(options_.device);
  const Stopwatch watch;
  int64_t images = 0;
  train_.start(progress.epoch, progress.batch);
  while (const auto step = next_step()) {
    // A step that overflowed in float16 is left out, here as by the scaler.
    const auto weight = step->loss.isfinite().to(torch::kDouble) * step->images;
    losses += torch::stack({step->loss.nan_to_num(0.0, 0.0, 0.0).to(torch::kDouble),
                            torch::ones_like(weight)}) *
              weight;
    const int64_t count = step->images * options_.distributed->world();
    images += count;
    progress.batch += options_.accumulation_steps;
    progress.step += 1;

    StepReport at{progress.epoch, options_.epochs, progress.batch, progress.batches, step->lr};
    const double seconds = watch.seconds();
    at.images_per_s = images / seconds;
    at.data_wait = train_.wait_seconds() / seconds;
    at.seconds_left = static_cast<double>(at.batches - at.batch) *
                      (static_cast<double>(count) / options_.accumulation_steps) / at.images_per_s;
    at.measured = step->measured;
    if (at.measured) {
      count_losses(losses);  // so that an observer can save here
      at.loss = progress.mean_loss();
      at.grad_norm = step->grad_norm.item<double>();
    }
    if (at.measured) name_straggler();
    if (options_.distributed->is_root()) {
      for (const auto& observer : observers_) observer->on_step(state_, at);
    }
    report.images_per_s = at.images_per_s;
    report.data_wait = at.data_wait;
    if (options_.distributed->stop()) break;
  }
  count_losses(losses);
  return !options_.distributed->stop();
}

void Trainer::count_losses(const at::Tensor& losses) {
  auto all = losses.cpu().clone();
  options_.distributed->sum(all);
  state_.progress.loss_sum = all[0].item<double>();
  state_.progress.loss_count = all[1].item<int64_t>();
}

void Trainer::name_straggler() {
  const auto found = options_.distributed->straggler();
  if (!found || !options_.distributed->is_root()) return;
  log::warning(
      "straggler: rank {} needs {:.3f} s for its own part of a step, the median is {:.3f} s",
      found->rank, found->seconds, found->median);
}

// The observers write files, which may take longer than anything may take in training.
void Trainer::tell(const std::string& what, const std::function<void(Observer&)>& call) {
  options_.distributed->on_root(what, [&] {
    for (const auto& observer : observers_) call(*observer);
  });
}

std::optional<Trainer::Step> Trainer::next_step() {
  const auto& progress = state_.progress;
  const int64_t parts = options_.accumulation_steps, end = progress.batch + parts;
  if (end > progress.batches) return std::nullopt;
  Step step;
  // Every print_freq batches, or the first step after. The last of an epoch is one too, as a
  // checkpoint may follow.
  step.measured = end / options_.print_freq > progress.batch / options_.print_freq ||
                  end == progress.batches ||
                  (options_.save_steps > 0 && (progress.step + 1) % options_.save_steps == 0);
  options_.distributed->begin_step();
  state_.optimizer->zero_grad();
  std::vector<at::Tensor> losses;
  Batch batch;
  for (int64_t part = 0; part < parts; ++part) {
    WF_CHECK(train_.next(batch), "the loader ended before the epoch did");
    losses.push_back(accumulate(batch, progress.step * parts + part, part + 1 == parts));
    step.images += batch.labels.size(0);
  }
  step.loss = parts == 1 ? losses[0] : torch::stack(losses).mean();
  step.lr = learning_rate(state_.schedule, progress.step - 1);
  update(step);
  options_.distributed->end_step();
  return step;
}

// Adds the gradients of one batch, `last` of its step; `number` counts batches over the whole run.
// Returns its loss.
at::Tensor Trainer::accumulate(const Batch& batch, int64_t number, bool last) {
  auto images = model_input(batch, options_.device);
  auto targets = batch.labels.to(options_.device, /*non_blocking=*/true);
  const auto& ranks = *options_.distributed;
  const auto draw = static_cast<uint64_t>(number * ranks.world() + ranks.rank());
  if (mixup_) targets = (*mixup_)(images, targets, CounterRng{options_.seed, kMixupStream, draw});
  generator_.set_current_seed(CounterRng{options_.seed, kDropPathStream, draw}.next());
  at::Tensor loss;
  {
    const Autocast autocast(options_.amp, options_.device.type());
    const auto logits = state_.model->forward(images).to(torch::kFloat);
    loss = classification_loss(logits, targets, options_.loss);
  }
  auto share = loss;
  if (options_.accumulation_steps > 1) share = share / options_.accumulation_steps;
  if (state_.scaler) share = state_.scaler->scale(share);
  options_.distributed->backward(share, last);
  return loss.detach();
}

void Trainer::update(Step& step) {
  const auto& groups = state_.optimizer->groups();
  std::optional<at::Tensor> found_inf;
  if (state_.scaler) found_inf = state_.scaler->unscale(groups);
  step.grad_norm = grad_norm(groups);
  require_finite(step);  // before clipping, which would spread one bad gradient to all
  clip_gradients(groups, step.grad_norm, options_.clip_grad);
  state_.optimizer->step(step.lr, found_inf);
  if (state_.scaler) state_.scaler->update(*found_inf);
  if (state_.ema) state_.ema->update();
}

void Trainer::require_finite(const Step& step) const {
  // Looking makes a GPU wait, so there it happens on measured steps only.
  if (!options_.device.is_cpu() && !step.measured) return;
  const double loss = step.loss.item<double>(), norm = step.grad_norm.item<double>();
  if (std::isfinite(loss) && std::isfinite(norm)) return;
  // An overflow in float16 is an ordinary thing: the scaler leaves the step out and goes lower.
  if (state_.scaler && state_.scaler->current() > kLowestScale) return;
  const auto& progress = state_.progress;
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
  EvaluateOptions options;
  options.device = options_.device;
  options.amp = options_.amp;
  options.cancelled = stop_requested;
  if (options_.distributed->world() > 1) {
    options.sum = [this](at::Tensor& tensor) { options_.distributed->sum(tensor); };
  }
  report.validation = evaluate(*state_.model, validation_, options);
  if (!state_.ema || !report.validation.complete) return report.validation.complete;
  const AveragedWeights averaged(state_.ema.get());
  report.averaged = evaluate(*state_.model, validation_, options);
  return report.averaged->complete;
}

void Trainer::finish_epoch(EpochReport& report) {
  auto& progress = state_.progress;
  report.lr = learning_rate(state_.schedule, progress.step - 1);
  report.train_loss = progress.mean_loss();
  // One that two processes met in different epochs counts twice.
  report.unreadable =
      std::lround(options_.distributed->sum(static_cast<double>(train_.unreadable())));
  // ">=": among equals the later one, which has trained longer.
  double accuracy = report.validation.acc1;
  const bool averaged = report.averaged && report.averaged->acc1 > accuracy;
  if (averaged) accuracy = report.averaged->acc1;
  report.best = accuracy >= progress.max_accuracy;
  if (report.best) progress.max_accuracy = accuracy, progress.best_averaged = averaged;
  progress.start_next_epoch();
  tell("end of an epoch", [&](Observer& observer) { observer.on_epoch(state_, report); });
}

}  // namespace wf
