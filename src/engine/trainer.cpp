#include "weightformer/engine/trainer.h"

#include "weightformer/core/check.h"
#include "weightformer/nn/mixed_precision.h"

#include "core/peak_memory.h"
#include "core/stopwatch.h"
#include "engine/distributed.h"
#include "runtime/log.h"
#include "runtime/stop_signal.h"

#include <torch/nn/module.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>

namespace wf {
namespace {

// Keeps the seeds of the device generator apart from other draws.
constexpr uint64_t kGeneratorStream = 0x64726f70;

// 2^-30 of the initial scale, that is thirty overflows in a row: treated as divergence.
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
  return "none (only the loss)";
}

// Without the sign that a NaN may carry.
std::string shown(double value) { return std::isnan(value) ? "nan" : wf::str(value); }

}  // namespace

StepRng::StepRng(uint64_t seed, uint64_t draw, at::Generator generator)
    : seed_(seed), draw_(draw), generator_(std::move(generator)) {
  generator_.set_current_seed(CounterRng{seed, kGeneratorStream, draw}.next());
}

// Sum and number of the losses of an epoch. Rank 0 also carries the totals restored from a
// checkpoint, so that they count once. In float64 on the device: exact enough without
// synchronization.
class Trainer::EpochSums {
 public:
  EpochSums(const TrainerOptions& options, Progress& progress)
      : ranks_(*options.distributed), progress_(progress) {
    auto start = torch::zeros({2}, torch::kDouble);
    if (ranks_.is_root()) {
      start[0] = progress.loss_sum;
      start[1] = static_cast<double>(progress.loss_count);
    }
    sums_ = start.to(options.device);
  }

  // A step that overflowed in float16 is skipped here as it is by the scaler.
  void add(const Step& step) {
    const auto weight = step.loss.isfinite().to(torch::kDouble) * step.samples;
    sums_ += torch::stack({step.loss.nan_to_num(0.0, 0.0, 0.0).to(torch::kDouble),
                           torch::ones_like(weight)}) *
             weight;
  }

  // Reduces them over all ranks into the progress.
  void reduce() {
    auto all = sums_.cpu().clone();
    ranks_.sum(all);
    progress_.loss_sum = all[0].item<double>();
    progress_.loss_count = all[1].item<int64_t>();
  }

 private:
  Distributed& ranks_;
  Progress& progress_;
  at::Tensor sums_;
};

Trainer::Trainer(TrainState& state, Task& task, Loader& train, TrainerOptions options)
    : state_(state), task_(task), train_(train), options_(std::move(options)) {
  if (!options_.distributed) options_.distributed = std::make_shared<Distributed>();
  WF_CHECK(batches_per_epoch() > 0,
           "the training set has fewer samples than one step takes: lower DATA.BATCH_SIZE or "
           "TRAIN.ACCUMULATION_STEPS");
  if (options_.steps > 0) {
    const int64_t per_epoch = batches_per_epoch() / options_.accumulation_steps;
    options_.epochs = (options_.steps + per_epoch - 1) / per_epoch;
  }
  generator_ = torch::globalContext().defaultGenerator(options_.device).clone();
  state_.model->set_generator(generator_);
  restore_position();
  if (options_.graph) make_graph();
}

void Trainer::every(int64_t steps, std::function<void(const TrainState&)> event) {
  WF_CHECK(steps > 0, "Trainer::every: the interval must be positive, got ", steps);
  events_.push_back({steps, std::move(event)});
}

// Maps the saved position to the present batch size, accumulation and world size.
void Trainer::restore_position() {
  auto& progress = state_.progress;
  const int64_t parts = options_.accumulation_steps;
  const int64_t now = options_.global_batch_size, before = progress.global_batch_size;
  const bool trained = progress.validation_due();
  const bool regrouped =
      now > 0 && before > 0 && progress.step > 0 &&
      (before != now ||
       progress.step != (progress.epoch * progress.batches + progress.batch) / parts);
  progress.global_batch_size = now;
  if (regrouped) {
    progress.batch = progress.batch * before / now / parts * parts;
    progress.batches = batches_per_epoch();
    if (trained || progress.batch > progress.batches) progress.batch = progress.batches;
    progress.step = (progress.epoch * progress.batches + progress.batch) / parts;
    log::info(
        "the checkpoint was made with a global batch of {}, now {}: continuing at batch {} of {}",
        before, now, progress.batch, progress.batches);
  }
  if (trained) progress.batch = progress.batches = batches_per_epoch();
  WF_CHECK(
      progress.batch == 0 || progress.batches == batches_per_epoch(), "the checkpoint is at batch ",
      progress.batch, " of ", progress.batches, " in its epoch, and an epoch now has ",
      batches_per_epoch(),
      " batches: resume with the batch size and data it was made with, or from a checkpoint at "
      "the end of an epoch");
  progress.batches = batches_per_epoch();
}

int64_t Trainer::batches_per_epoch() const {
  return train_.batches() / options_.accumulation_steps * options_.accumulation_steps;
}

bool Trainer::at_step_limit() const {
  return options_.steps > 0 && state_.progress.step >= options_.steps;
}

bool Trainer::done() const {
  const auto& progress = state_.progress;
  if (options_.steps == 0) return progress.epoch >= options_.epochs;
  return at_step_limit() && progress.validated_step == progress.step;
}

Outcome Trainer::run() {
  notify_observers("start", [&](Observer& observer) { observer.on_start(state_); });
  auto& progress = state_.progress;
  while (!done()) {
    EpochReport report;
    report.epoch = progress.epoch;
    bool completed = train_epoch(report);
    report.complete = progress.validation_due();
    report.last = options_.steps > 0 ? at_step_limit() : report.epoch + 1 == options_.epochs;
    // Validation may take long, so the epoch is saved before it.
    if (completed) {
      notify_observers("save", [&](Observer& o) { o.on_train_epoch_end(state_, report); });
    }
    const auto due = [&](int64_t interval, int64_t at) {
      return interval > 0 && at % interval == 0;
    };
    if (report.last || due(options_.validate_epochs, report.epoch + 1) ||
        due(options_.validate_steps, progress.step)) {
      report.validation.emplace();
      completed = completed && validate(*report.validation);
    }
    if (!completed) {
      require_finite_weights();
      notify_observers("last save", [&](Observer& observer) { observer.on_stop(state_); });
      return Outcome::stopped;
    }
    finish_epoch(report);
  }
  return Outcome::finished;
}

bool Trainer::train_epoch(EpochReport& report) {
  auto& progress = state_.progress;
  state_.model->train();
  EpochSums sums(options_, progress);
  const Stopwatch watch;
  int64_t samples = 0;
  train_.start(progress.epoch, progress.batch);
  while (validate_inside_epoch()) {
    auto at = position_after_next_step();
    const auto step = next_step();
    if (!step) break;
    sums.add(*step);
    const int64_t count = step->samples * options_.distributed->world();
    samples += count;
    progress.batch = at.batch;
    progress.step = at.step;

    const double seconds = watch.seconds();
    at.lr = step->lr;
    report.images_per_s = at.images_per_s = static_cast<double>(samples) / seconds;
    report.data_wait = at.data_wait = train_.wait_seconds() / seconds;
    at.seconds_left = static_cast<double>(at.batches - at.batch) *
                      (static_cast<double>(count) / at.step_batches) / at.images_per_s;
    if (step->has_loss) reduce(sums);  // so that an observer can save here
    report_step(*step, at);
    run_events();
    if (options_.distributed->stop()) break;
  }
  reduce(sums);
  return !options_.distributed->stop() && !stop_cancelled_validation_;
}

void Trainer::reduce(EpochSums& sums) {
  sums.reduce();
  task_.reduce(*options_.distributed);
}

// The position after the next step, whether or not there is one.
StepReport Trainer::position_after_next_step() const {
  const auto& progress = state_.progress;
  StepReport at;
  at.epoch = progress.epoch;
  at.epochs = options_.epochs;
  at.step_batches = options_.accumulation_steps;
  at.batch = progress.batch + at.step_batches;
  at.batches = progress.batches;
  if (options_.steps > 0) {
    const int64_t left = std::max<int64_t>(0, options_.steps - progress.step);
    at.batches = std::min(at.batches, progress.batch + left * at.step_batches);
  }
  at.step = progress.step + 1;
  return at;
}

// The loss is always read at the end of an epoch, as a checkpoint may follow.
bool Trainer::needs_loss(const StepReport& next) const {
  if (next.last_of_epoch()) return true;
  if (options_.validate_steps > 0 && next.step % options_.validate_steps == 0) return true;
  return std::any_of(observers_.begin(), observers_.end(),
                     [&](const auto& observer) { return observer->needs_loss(next); });
}

void Trainer::report_step(const Step& step, StepReport at) {
  auto& progress = state_.progress;
  at.has_loss = step.has_loss;
  if (at.has_loss) {
    at.loss = progress.mean_loss();
    at.window_loss = (progress.loss_sum - progress.window_sum) /
                     static_cast<double>(progress.loss_count - progress.window_count);
    at.grad_norm = step.grad_norm.item<double>();
    at.metrics = task_.step_metrics();
    progress.window_sum = progress.loss_sum;
    progress.window_count = progress.loss_count;
    log_straggler();
  }
  if (!options_.distributed->is_root()) return;
  if (at.has_loss) at.memory_mib = peak_memory_mib(options_.device);
  for (const auto& observer : observers_) observer->on_step(state_, at);
}

void Trainer::run_events() {
  for (const auto& event : events_) {
    if (state_.progress.step % event.steps != 0) continue;
    state_.model->eval();
    event.run(state_);
    state_.model->train();
  }
}

void Trainer::log_straggler() {
  const auto found = options_.distributed->straggler();
  if (!found || !options_.distributed->is_root()) return;
  log::warning(
      "straggler: rank {} needs {:.3f} s for its own part of a step, the median is {:.3f} s",
      found->rank, found->seconds, found->median);
}

// Observers write files, which may take longer than the timeout of a collective.
void Trainer::notify_observers(const std::string& what,
                               const std::function<void(Observer&)>& call) {
  options_.distributed->on_root(what, [&] {
    for (const auto& observer : observers_) call(*observer);
  });
}

std::optional<Trainer::Step> Trainer::next_step() {
  const auto next = position_after_next_step();
  if (next.batch > next.batches) return std::nullopt;
  const int64_t parts = options_.accumulation_steps, first = state_.progress.step * parts;
  Step step;
  step.has_loss = needs_loss(next);
  step.lr = learning_rate(state_.schedule, state_.progress.step - 1);
  options_.distributed->begin_step();
  state_.optimizer->zero_grad();
  std::vector<at::Tensor> losses;
  Batch batch;
  for (int64_t part = 0; part < parts; ++part) {
    if (!next_batch(batch)) return std::nullopt;
    if (graph_ && graphed_step(step, batch, first)) return step;
    losses.push_back(backward(batch, first + part, part + 1 == parts));
    step.samples += batch.size();
  }
  step.loss = parts == 1 ? losses[0] : torch::stack(losses).mean();
  update(step);
  options_.distributed->end_step();
  task_.after_step(*options_.distributed);
  return step;
}

// False when the run is to stop and no batch comes: what was done of the step is dropped, and the
// state before it is saved.
bool Trainer::next_batch(Batch& batch) {
  try {
    WF_CHECK(train_.next(batch), "the loader ended before the epoch did");
    return true;
  } catch (const LoaderStopped& stopped) {
    accept_stop(stopped);
    return false;
  }
}

// Other ranks are in the step and wait for this one, so that there the run ends without a save.
void Trainer::accept_stop(const LoaderStopped& stopped) const {
  if (options_.distributed->world() > 1) throw stopped;
  log::warning("{}", stopped.what());
}

// Adds the gradients of one micro-batch, `last` of its step; `micro_batch` counts over the run.
// Returns its loss.
at::Tensor Trainer::backward(const Batch& batch, int64_t micro_batch, bool last) {
  auto& ranks = *options_.distributed;
  const StepRng rng(options_.seed,
                    static_cast<uint64_t>(micro_batch * ranks.world() + ranks.rank()), generator_);
  at::Tensor loss;
  {
    const MixedPrecision mixed(options_.amp, options_.device.type());
    const ShortWeights::Scope weights(&short_weights_);
    loss = task_.loss(batch, rng);
  }
  auto scaled = loss;
  if (options_.accumulation_steps > 1) scaled = scaled / options_.accumulation_steps;
  if (state_.scaler) scaled = state_.scaler->scale(scaled);
  ranks.backward(scaled, last);
  return loss.detach();
}

void Trainer::update(Step& step) {
  const auto& groups = state_.optimizer->groups();
  std::optional<at::Tensor> found_inf;
  if (state_.scaler) found_inf = state_.scaler->unscale(groups);
  step.grad_norm = grad_norm(groups);
  require_finite(step);  // before clipping, which would spread one bad gradient to all
  if (!found_inf && !checks_every_step()) {
    found_inf = not_finite(step.grad_norm);
    skipped_ = skipped_.defined() ? skipped_ + *found_inf : *found_inf;
  }
  clip_gradients(groups, step.grad_norm, options_.clip_grad);
  state_.optimizer->step(step.lr, found_inf);
  if (state_.scaler) state_.scaler->update(*found_inf);
  for (const auto& ema : state_.emas) ema->update(state_.progress.step + 1);
}

// The check synchronizes with a GPU.
bool Trainer::checks_every_step() const {
  return options_.check_every_step.value_or(options_.device.is_cpu());
}

void Trainer::require_finite(const Step& step) const {
  if (!checks_every_step() && !step.has_loss) return;
  const double loss = step.loss.item<double>(), norm = step.grad_norm.item<double>();
  const double skipped = skipped_.defined() ? skipped_.item<double>() : 0;
  if (std::isfinite(loss) && std::isfinite(norm) && skipped == 0) return;
  // Overflows in float16 are expected: the scaler skips the step and lowers its scale.
  if (state_.scaler && state_.scaler->current() > kLowestScale) return;
  const auto& progress = state_.progress;
  throw Error(
      wf::str("training diverged at step ", progress.step, " (epoch ", progress.epoch + 1,
              ", batch ", progress.batch + 1, "): loss ", shown(loss), ", gradient norm ",
              shown(norm), skipped > 0 ? wf::str(" (", skipped, " steps before were skipped)") : "",
              "; first bad parameter: ", first_bad_parameter(*state_.model),
              ". Nothing was saved since; lower TRAIN.BASE_LR or resume an older checkpoint"),
      Error::kDiverged);
}

// Before a save that does not follow a step whose loss was checked.
void Trainer::require_finite_weights() const {
  for (const auto& item : state_.model->named_parameters()) {
    if (item.value().isfinite().all().item<bool>()) continue;
    throw Error(wf::str("training diverged before step ", state_.progress.step, ": ", item.key(),
                        " is not finite. Not saved; resume an older checkpoint"),
                Error::kDiverged);
  }
}

// Weights 0 are the trained ones, weights k those of the k-th EMA.
std::optional<Metrics> Trainer::validate_weights(const ValidationContext& context,
                                                 int64_t weights) {
  const EmaScope scope(weights == 0 ? nullptr : state_.emas[weights - 1].get());
  try {
    return task_.validate(context);
  } catch (const LoaderStopped& stopped) {
    accept_stop(stopped);
    return std::nullopt;
  }
}

bool Trainer::validate(ValidationReport& report) {
  ValidationContext context{*options_.distributed, options_.device, options_.amp, stop_requested};
  context.emas = static_cast<int64_t>(state_.emas.size());
  context.step = state_.progress.step;
  for (size_t weights = 0; weights <= state_.emas.size(); ++weights) {
    context.weights = static_cast<int64_t>(weights);
    auto metrics = validate_weights(context, static_cast<int64_t>(weights));
    if (!metrics) return false;
    if (weights > 0) {
      report.ema.push_back(*std::move(metrics));
      continue;
    }
    report.trained = *std::move(metrics);
    if (options_.distributed->is_root()) report.details = task_.validation_details();
  }
  select_best(report);
  state_.progress.validated_step = state_.progress.step;
  return true;
}

// Of equal values the later one is best, which has trained longer. A validation may lack the
// metric, or have it for some of the weights only.
void Trainer::select_best(ValidationReport& report) {
  const auto& spec = task_.selection_metric();
  report.selection = &spec;
  auto& progress = state_.progress;
  double value = report.trained.value(spec, Progress::kNone);
  int64_t weights = 0;
  for (size_t i = 0; i < report.ema.size(); ++i) {
    const double ema = report.ema[i].value(spec, Progress::kNone);
    if (std::isnan(ema) || spec.at_least_as_good(value, ema)) continue;
    value = ema, weights = static_cast<int64_t>(i) + 1;
  }
  if (std::isnan(value)) return;
  report.best = !progress.has_best() || spec.at_least_as_good(value, progress.best_metric);
  if (report.best) progress.best_metric = value, progress.best_weights = weights;
}

bool Trainer::validate_inside_epoch() {
  const auto& progress = state_.progress;
  const int64_t interval = options_.validate_steps;
  const bool at_end = progress.validation_due() || at_step_limit();  // run() validates there
  if (interval == 0 || progress.step == 0 || progress.step % interval != 0 || at_end ||
      progress.validated_step == progress.step) {
    return true;
  }
  ValidationReport report;
  stop_cancelled_validation_ = !validate(report);
  if (stop_cancelled_validation_) return false;
  state_.model->train();
  notify_observers("validation", [&](Observer& o) { o.on_validation(state_, report); });
  return true;
}

void Trainer::finish_epoch(EpochReport& report) {
  auto& progress = state_.progress;
  report.lr = learning_rate(state_.schedule, progress.step - 1);
  report.train_loss = progress.mean_loss();
  // A sample that two ranks met in different epochs counts twice.
  report.unreadable =
      std::lround(options_.distributed->sum(static_cast<double>(train_.unreadable())));
  if (report.complete) progress.start_next_epoch();
  notify_observers("end of an epoch", [&](Observer& o) { o.on_epoch_end(state_, report); });
}

}  // namespace wf
