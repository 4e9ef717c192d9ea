#include "engine/build.h"

#include "weightformer/core/check.h"

#include "config/describe.h"
#include "dist/launch_env.h"
#include "dist/process_group.h"
#include "engine/distributed.h"
#include "runtime/log.h"

#include <ATen/Version.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/cuda.h>
#include <torch/types.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace wf {
c10::Device build_device(const Config& config, const LaunchEnv& env) {
  const bool cuda = torch::cuda::is_available();
  WF_CHECK(config.device != DeviceChoice::cuda || cuda,
           "DEVICE cuda: no usable GPU (no driver, no device, or a build with "
           "WF_CUDA=OFF); --device cpu trains on the processor");
  if (config.device == DeviceChoice::cpu || !cuda) return c10::kCPU;
  const int gpu = pick_gpu(env, static_cast<int>(torch::cuda::device_count()));
  const c10::Device device(c10::kCUDA, static_cast<c10::DeviceIndex>(gpu));
  // Allocations without an explicit GPU, such as library workspaces, must use the GPU of this
  // process.
  c10::impl::getDeviceGuardImpl(c10::kCUDA)->setDevice(device);
  return device;
}

std::shared_ptr<Distributed> build_distributed(const Config& config, const LaunchEnv& env,
                                               c10::Device device) {
  if (env.world == 1) return std::make_shared<Distributed>();
  GroupOptions group;
  group.timeout = std::chrono::milliseconds(std::llround(1000 * config.dist.timeout_s));
  DataParallelOptions options;
  options.bucket_bytes = config.dist.bucket_mb << 20;
  options.find_unused = config.dist.find_unused;
  options.compress = config.dist.compress == GradientCompression::bf16;
  const auto all = std::make_shared<ProcessGroup>(env, device, group);
  // Ranks with different settings would silently diverge or deadlock.
  all->require_equal("settings",
                     list_settings(config, {Scope::evaluation, Scope::training, Scope::run}));
  return std::make_shared<Distributed>(all, options);
}

static bool has_bfloat16_instructions() {
#if defined(__x86_64__)
  // Also what LibTorch itself was told to use (ATEN_CPU_CAPABILITY).
  return __builtin_cpu_supports("avx512bf16") && at::get_cpu_capability() == "AVX512";
#else
  return false;
#endif
}

AmpMode resolve_amp(const Config& config, c10::Device device) {
  const bool fast =
      !device.is_cpu() || (config.amp_dtype == AmpDtype::bfloat16 && has_bfloat16_instructions());
  if (config.amp == AmpMode::on && !fast) {
    log::warning(
        "AMP true: this CPU has no instructions for {}, in which it is about ten times slower than "
        "in float32; AMP auto uses it where it is fast",
        name_of(config.amp_dtype));
  }
  if (config.amp != AmpMode::automatic) return config.amp;
  log::info("AMP auto: {}", fast ? name_of(config.amp_dtype) : "float32 on this CPU");
  return fast ? AmpMode::on : AmpMode::off;
}

static TokenType token_type(AmpResidual residual) {
  switch (residual) {
    case AmpResidual::amp_dtype:
      return TokenType::products;
    case AmpResidual::autocast:
      return TokenType::autocast;
    case AmpResidual::float32:
      break;
  }
  return TokenType::float32;
}

std::optional<Precision> build_amp(const Config& config) {
  if (config.amp != AmpMode::on) return std::nullopt;
  return Precision(config.amp_dtype == AmpDtype::float16 ? at::kHalf : at::kBFloat16,
                   token_type(config.amp_residual));
}

LrScheduleOptions build_schedule(const Config& config, int64_t batches_per_epoch, int world) {
  const auto& train = config.train;
  const double batch =
      static_cast<double>(config.data.batch_size) * train.accumulation_steps * world;
  const double scale = train.lr_scaling == LrScaling::linear ? batch / 512.0 : 1.0;
  const int64_t steps = batches_per_epoch / train.accumulation_steps;
  LrScheduleOptions schedule;
  schedule.kind = train.lr_scheduler.name;
  schedule.base_lr = train.base_lr * scale;
  schedule.warmup_lr = train.warmup_lr * scale;
  schedule.min_lr = train.min_lr * scale;
  schedule.total_steps = train.steps > 0 ? train.steps : train.epochs * steps;
  schedule.warmup_steps = train.warmup_steps ? train.warmup_steps : train.warmup_epochs * steps;
  const bool by_steps = train.steps > 0 || train.warmup_steps > 0;  // see also validate()
  WF_CHECK(!by_steps || schedule.warmup_steps < schedule.total_steps, "the warm-up has ",
           schedule.warmup_steps, " steps (TRAIN.WARMUP_EPOCHS ", train.warmup_epochs,
           ", TRAIN.WARMUP_STEPS ", train.warmup_steps, "), and the run ", schedule.total_steps,
           ": set it lower");
  schedule.decay_steps = train.lr_scheduler.decay_epochs * steps;
  schedule.decay_rate = train.lr_scheduler.decay_rate;
  return schedule;
}

TrainState build_train_state(const Config& config, const Task& task, int64_t batches_per_epoch,
                             int world) {
  TrainState state;
  const auto& train = config.train;
  OptimizerOptions options;
  options.kind = train.optimizer.name;
  options.eps = train.optimizer.eps;
  options.beta1 = train.optimizer.betas[0];
  options.beta2 = train.optimizer.betas[1];
  options.momentum = train.optimizer.momentum;
  state.model = task.model();
  if (!train.freeze.empty()) {
    log::info("TRAIN.FREEZE freezes {} parameters", freeze(*state.model, train.freeze));
  }
  const auto layer_index = [&](const std::string& name) { return state.model->layer_index(name); };
  state.optimizer = make_optimizer(
      options, param_groups(*state.model, train.weight_decay, train.layer_decay, layer_index));
  const auto device = state.model->parameters()[0].device();
  const auto amp = build_amp(config);
  if (amp && amp->products == at::kHalf) state.scaler = std::make_unique<GradScaler>(device);
  for (const double decay : train.ema_decay) {
    state.emas.push_back(std::make_unique<Ema>(*state.model, decay));
  }
  for (const double std : train.ema_std) {
    state.emas.push_back(std::make_unique<Ema>(*state.model, EmaRule::power(std)));
  }
  state.schedule = build_schedule(config, batches_per_epoch, world);
  state.progress.epoch = train.start_epoch;
  state.progress.step = train.start_epoch * (batches_per_epoch / train.accumulation_steps);
  state.task_state = task.state();
  state.metadata = task.metadata();
  state.config = config;
  return state;
}

TrainerOptions build_trainer_options(const Config& config, c10::Device device,
                                     std::shared_ptr<Distributed> distributed) {
  TrainerOptions options;
  options.epochs = config.train.total_epochs();
  options.steps = config.train.steps;
  options.validate_epochs = config.test.every_epochs;
  options.validate_steps = config.test.every_steps;
  options.clip_grad = config.train.clip_grad;
  options.amp = build_amp(config);
  options.accumulation_steps = config.train.accumulation_steps;
  options.graph = config.train.cuda_graph;
  options.device = device;
  options.seed = static_cast<uint64_t>(config.seed);
  options.global_batch_size = config.data.batch_size * distributed->world();
  options.distributed = std::move(distributed);
  return options;
}

}  // namespace wf
