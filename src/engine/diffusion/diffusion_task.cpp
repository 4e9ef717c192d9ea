#include "engine/diffusion/diffusion_task.h"

#include "weightformer/core/check.h"
#include "weightformer/nn/mixed_precision.h"

#include "core/counter_noise.h"
#include "core/registry.h"
#include "core/stopwatch.h"
#include "engine/diffusion/diffusion_data.h"
#include "engine/diffusion/loss_by_time.h"
#include "engine/diffusion/sample_grid.h"
#include "engine/distributed.h"
#include "engine/eval_mode.h"
#include "engine/image_file.h"
#include "engine/metadata.h"
#include "runtime/log.h"
#include "runtime/progress_bar.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <filesystem>
#include <utility>

namespace wf {
namespace {

// Streams that keep the draws of a sample apart, those of training and those of validation.
constexpr uint64_t kTime = 0x74696d65, kNoise = 0x6e6f697365, kDrop = 0x64726f70;
constexpr uint64_t kPosterior = 0x706f73746572696f;
constexpr uint64_t kValidationTime = 0x7674696d65, kValidationNoise = 0x766e6f697365;

constexpr int64_t kGridRows = 10;

}  // namespace

const MetricSpec DiffusionTask::kLoss{"loss", "val loss", "{:.4f}", Better::lower};
const MetricSpec DiffusionTask::kSamples{"samples",      "samples", "{:.0f}", Better::higher,
                                         /*count=*/true, "samples"};
const MetricSpec DiffusionTask::kFid{"fid", "FID", "{:.3f}", Better::lower};
const MetricSpec DiffusionTask::kLossByTime[4] = {{"loss_t1", "t < 1/4", "{:.4f}", Better::lower},
                                                  {"loss_t2", "t < 1/2", "{:.4f}", Better::lower},
                                                  {"loss_t3", "t < 3/4", "{:.4f}", Better::lower},
                                                  {"loss_t4", "t < 1", "{:.4f}", Better::lower}};

DiffusionTask::DiffusionTask(std::shared_ptr<DiTImpl> model, std::unique_ptr<Loader> validation,
                             DiffusionOptions options)
    : Task(model),
      dit_(std::move(model)),
      validation_(std::move(validation)),
      options_(std::move(options)),
      process_(make_process(options_.process)),
      law_(make_timestep_law(options_.timesteps)),
      by_time_(std::make_unique<LossByTime>(options_.device)),
      fidelity_step_(torch::zeros({1}, torch::kLong)) {
  WF_CHECK(process_->output_channels(dit_->options.channels()) == dit_->out_channels(),
           "the network has ", dit_->out_channels(), " output channels, and the process needs ",
           process_->output_channels(dit_->options.channels()));
}

DiffusionTask::~DiffusionTask() = default;

Denoiser DiffusionTask::denoiser() const {
  return [this](const at::Tensor& x, const at::Tensor& t, const at::Tensor& labels) {
    return dit_->forward(x, t, labels).to(torch::kFloat);
  };
}

// The random draws for the samples of a batch.
struct DiffusionTask::Draws {
  Draws(const DiffusionTask& task, const at::Tensor& x0, const Batch& batch)
      : task(task), x0(x0), labels(batch.labels) {
    u = torch::empty({batch.size()}, torch::kDouble);
    weights = torch::empty({batch.size()}, torch::kFloat);
    t = torch::empty({batch.size()}, torch::kFloat);
    dropped = torch::zeros({batch.size()}, torch::kBool);
  }

  void set(int64_t i, const TimestepDraw& draw, const CounterRng& noise) {
    u.data_ptr<double>()[i] = draw.u;
    weights.data_ptr<float>()[i] = static_cast<float>(draw.weight);
    t.data_ptr<float>()[i] = static_cast<float>(task.process_->time_at(draw.u));
    noise_keys.push_back(noise);
  }

  // On the device: data, noise, time and label of each sample, and the weight of its loss.
  std::vector<at::Tensor> on_device() const {
    const auto device = x0.device();
    const auto noise = counter_normal(noise_keys, x0.sizes().slice(1), device);
    const auto here = [&](const at::Tensor& host) {
      return host.to(device, /*non_blocking=*/true);
    };
    const auto kept = here(labels).masked_fill(here(dropped), task.dit_->null_class());
    return {x0, noise, here(t), kept, here(weights)};
  }

  const DiffusionTask& task;
  at::Tensor x0;                      // [B, C, H, W]
  at::Tensor labels;                  // [B], on the device of the batch
  at::Tensor u, weights, t, dropped;  // [B], on the host
  std::vector<CounterRng> noise_keys;
};

// What the batch is trained on, [B, C, H, W]. Images that a codec encodes are draws from their
// posterior by the keys, or its mean without keys.
at::Tensor DiffusionTask::data_of(const Batch& batch,
                                  const std::vector<CounterRng>& posterior) const {
  if (!options_.codec || batch.inputs.scalar_type() != torch::kByte) {
    return diffusion_input(batch, dit_->options.channels(), options_.device);
  }
  const auto found = options_.codec->encode(batch.inputs);
  auto z = found.mean;
  if (!posterior.empty()) {
    const auto noise = counter_normal(posterior, z.sizes().slice(1), options_.device);
    z = z + (found.logvar / 2).exp() * noise;
  }
  return options_.codec->scale(z);
}

// Losses of the samples by Draws::on_device().
at::Tensor DiffusionTask::sample_losses(const std::vector<at::Tensor>& draws) const {
  return process_->loss(denoiser(), draws.at(0), draws.at(1), draws.at(2), draws.at(3)).total;
}

std::optional<std::vector<at::Tensor>> DiffusionTask::prepare(const Batch& batch,
                                                              const StepRng& rng) {
  std::vector<CounterRng> posterior;
  for (int64_t i = 0; i < batch.size(); ++i) {
    posterior.push_back(rng.sample_stream(kPosterior, batch, i));
  }
  Draws draws(*this, data_of(batch, posterior), batch);
  for (int64_t i = 0; i < batch.size(); ++i) {
    draws.set(i, law_->draw(rng.sample_stream(kTime, batch, i)),
              rng.sample_stream(kNoise, batch, i));
    draws.dropped.data_ptr<bool>()[i] =
        rng.sample_stream(kDrop, batch, i).uniform() < options_.label_drop;
  }
  u_ = draws.u;
  return draws.on_device();
}

std::vector<at::Tensor> DiffusionTask::losses(const std::vector<at::Tensor>& inputs) {
  const auto each = sample_losses(inputs);
  return {(each * inputs.at(4)).mean(), each};
}

void DiffusionTask::note(const std::vector<at::Tensor>& losses) {
  by_time_->add(u_, losses.at(1));
  if (!law_->learns()) return;
  step_u_.push_back(u_);
  step_losses_.push_back(losses[1]);
}

// Every rank learns from the losses of all, in the same order.
void DiffusionTask::after_step(Distributed& ranks) {
  if (!law_->learns()) return;
  const auto own =
      torch::stack({torch::cat(step_u_), torch::cat(step_losses_).cpu().to(torch::kDouble)});
  step_u_.clear();
  step_losses_.clear();
  auto all = torch::zeros({ranks.world(), 2, own.size(1)}, torch::kDouble);
  // Non-finite losses would spoil the sum over the ranks: they are marked by -1 and dropped below.
  const auto marked = own.nan_to_num(-1, -1, -1);
  all[ranks.rank()].copy_(marked);
  ranks.sum(all);
  // Each rank fills its own part, and the sum of a simulated one is many times that.
  if (ranks.simulated()) all.copy_(marked.expand_as(all));
  const auto u = all.select(1, 0).flatten(), losses = all.select(1, 1).flatten();
  const auto finite = losses.ge(0);
  law_->update(u.masked_select(finite), losses.masked_select(finite));
}

void DiffusionTask::reduce(Distributed& ranks) { by_time_->reduce(ranks); }

Metrics DiffusionTask::step_metrics() {
  Metrics metrics;
  by_time_->take(kLossByTime, metrics);
  return metrics;
}

std::map<std::string, at::Tensor> DiffusionTask::state() const {
  std::map<std::string, at::Tensor> state{{"loss_by_time", by_time_->window()}};
  const auto history = law_->history();
  if (history.defined()) state["timestep_history"] = history;
  if (options_.fidelity && options_.fidelity_every > 0) state["fid_step"] = fidelity_step_;
  return state;
}

std::optional<Metrics> DiffusionTask::validate_loss(const ValidationContext& context) {
  const torch::NoGradGuard no_grad;
  const EvalMode mode(*dit_);
  LossByTime by_time(options_.device);
  auto unfinished = torch::zeros({1}, torch::kDouble);
  Batch batch;
  validation_->start(0);
  ProgressBar bar("validation", validation_->batches(), "batches");
  for (int64_t done = 0; validation_->next(batch); bar.show(++done)) {
    if (context.cancelled && context.cancelled()) {
      unfinished.fill_(1);
      break;
    }
    keep_readable(batch);
    if (batch.size() == 0) continue;
    const MixedPrecision mixed(context.amp, options_.device.type());
    Draws draws(*this, data_of(batch, /*posterior=*/{}), batch);
    for (int64_t i = 0; i < batch.size(); ++i) {
      const auto sample = static_cast<uint64_t>(batch.indices[i]);
      const double u = CounterRng{options_.seed, kValidationTime, sample}.uniform();
      draws.set(i, {u, 1}, CounterRng{options_.seed, kValidationNoise, sample});
    }
    by_time.add(draws.u, sample_losses(draws.on_device()));
  }
  context.ranks.sum(unfinished);
  by_time.reduce(context.ranks);
  if (unfinished.item<double>() > 0) return std::nullopt;
  Metrics metrics;
  metrics.add(kLoss, by_time.mean());
  metrics.add(kSamples, by_time.count());
  by_time.take(kLossByTime, metrics);
  return metrics;
}

std::optional<Metrics> DiffusionTask::validate(const ValidationContext& context) {
  auto metrics = validate_loss(context);
  if (!metrics || !fidelity_due(context)) return metrics;
  if (!add_fidelity(context, *metrics)) return std::nullopt;
  fidelity_step_.fill_(context.step);
  return metrics;
}

Metrics DiffusionTask::evaluate(const ValidationContext& context, const std::string&) {
  auto metrics = validate_loss(context);
  if (!metrics || (options_.fidelity && !add_fidelity(context, *metrics))) return {};
  return *metrics;
}

bool DiffusionTask::fidelity_due(const ValidationContext& context) const {
  if (!options_.fidelity || context.weights != std::min<int64_t>(context.emas, 1)) return false;
  const auto every = options_.fidelity_every;
  return every == 0 || context.step / every > fidelity_step_.item<int64_t>() / every;
}

bool DiffusionTask::add_fidelity(const ValidationContext& context, Metrics& metrics) const {
  auto sampling = options_.grid.sampling;
  sampling.amp = context.amp;
  const auto found = options_.fidelity->distance(
      SampleGenerator(dit_, sampling), options_.codec.get(), context.ranks, context.cancelled);
  if (found) metrics.add(kFid, *found);
  return found.has_value();
}

at::Tensor DiffusionTask::displayed(const Batch& batch, const StepRng&) const {
  if (options_.codec && batch.inputs.scalar_type() == torch::kByte) return batch.inputs.cpu();
  const auto inputs = diffusion_input(batch, dit_->options.channels(), c10::kCPU);
  return options_.codec ? options_.codec->decode(inputs)
                        : wf::displayed(inputs, options_.grid.latents);
}

std::vector<TaskEvent> DiffusionTask::events(const ValidationContext& context,
                                             const std::string& directory) {
  if (options_.grid.every == 0) return {};
  options_.grid.sampling.amp = context.amp;
  return {{options_.grid.every, [this, context, directory](const TrainState& state) {
             const EmaScope ema(state.emas.empty() ? nullptr : state.emas[0].get());
             write_grid(context, str(directory, "/samples/step_", state.progress.step, ".png"));
           }}};
}

// Each rank draws its part of the samples.
void DiffusionTask::write_grid(const ValidationContext& context, const std::string& path) {
  const auto& grid = options_.grid;
  const int64_t classes = dit_->options.num_classes(), rows = std::min(classes, kGridRows);
  const Stopwatch watch;
  std::vector<int64_t> indices, labels;
  const int64_t count = rows * grid.columns;
  for (int64_t i = context.ranks.rank(); i < count; i += context.ranks.world()) {
    indices.push_back(i);
    labels.push_back(i / grid.columns * classes / rows);
  }
  auto own = SampleGenerator(dit_, grid.sampling).draw(indices, labels);
  if (options_.codec) own = options_.codec->decode(own).to(torch::kFloat);
  const auto shape = own.sizes();
  auto all = torch::zeros({count, shape[1], shape[2], shape[3]});
  all.index_copy_(0, torch::tensor(indices, torch::kLong), own);
  context.ranks.sum(all);
  context.ranks.on_root("grid of samples", [&] {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    const auto images = options_.codec ? all.to(torch::kByte) : wf::displayed(all, grid.latents);
    write_png(path, tile(images, grid.columns));
    log::info("samples in {} s: {}", std::lround(watch.seconds()), path);
  });
}

Metadata DiffusionTask::metadata() const {
  auto facts = options_.facts;
  if (!options_.classes.empty()) facts["classes"] = options_.classes;
  return facts;
}

void DiffusionTask::check_metadata(const Metadata& saved, const std::string& source) const {
  require_same_classes(saved, options_.classes, source);
  for (const auto& [name, words] : options_.facts) {
    const auto found = saved.find(name);
    if (found == saved.end()) continue;
    WF_CHECK(found->second == words, source, ": trained with the ", name, " ",
             join(found->second, ", "), ", and the settings are now ", join(words, ", "),
             ": restore DIFFUSION.* and DATA.VAE, or choose another --tag");
  }
}

}  // namespace wf
