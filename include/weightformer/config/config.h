// The settings of a run. Keys, defaults, allowed values, help and scopes are in src/config/keys.h.
#pragma once

#include "weightformer/config/diffusion_enums.h"
#include "weightformer/config/enums.h"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace wf {

using Pair = std::array<double, 2>;

struct DataConfig {
  int64_t batch_size, img_size, num_workers;
  double val_split, latent_scale;
  std::string data_path, real_labels, vae;
  std::string train, val, train_labels, val_labels, train_subset, val_subset, class_map;
  DatasetKind dataset;
  InterpolationMode interpolation;
  CacheMode cache_mode;
  bool zip_mode, cache_listing, pin_memory, fast_decode;
};

struct ModelConfig {
  std::string type, name, resume, pretrained, linear_predictor, conv_predictor;
  int64_t num_classes, dim, depth, patch_size;
  double drop_rate, drop_path_rate, label_smoothing;
  bool allow_missing;
};

struct LrSchedulerConfig {
  LrScheduleKind name;
  int64_t decay_epochs;
  double decay_rate;
};

struct OptimizerConfig {
  OptimizerKind name;
  double eps, momentum;
  Pair betas;
};

struct TrainConfig {
  int64_t start_epoch, epochs, steps, warmup_epochs, warmup_steps, cooldown_epochs;
  int64_t accumulation_steps, ema_snapshot_steps;
  double weight_decay, base_lr, warmup_lr, min_lr, clip_grad, layer_decay, bce_threshold;
  std::vector<double> ema_decay, ema_std;  ///< one for each EMA, those with a decay first
  LossKind loss;
  LrScaling lr_scaling;
  bool auto_resume, use_checkpoint, cuda_graph;
  std::string freeze;
  LrSchedulerConfig lr_scheduler;
  OptimizerConfig optimizer;

  int64_t total_epochs() const { return epochs + cooldown_epochs; }
};

struct AugConfig {
  int64_t crop_padding;
  double hflip, color_jitter, reprob, mixup, cutmix, mixup_prob, mixup_switch_prob;
  std::string auto_augment;
  ErasingFill remode;
  MixupMode mixup_mode;
  int64_t recount, repeated;
  std::optional<Pair> cutmix_minmax;
};

struct DiffusionConfig {
  ProcessKind process;
  int64_t steps, channels, val_samples;
  BetaKind betas;
  PredictionKind prediction;
  TimestepLawKind timesteps;
  double timestep_mean, timestep_std, shift, min_snr_gamma, label_drop;
  bool learn_sigma;
};

struct SampleConfig {
  SolverKind sampler;
  int64_t every, steps, columns, batch_size, seed;
  double scale, eta, shift;
  Pair interval;
  GuidedChannels guided_channels;
  bool clip;
};

struct FidConfig {
  int64_t images, every;
  std::string reference, weights, input;
  bool best;
};

struct TestConfig {
  bool crop, ema;
  int64_t every_epochs, every_steps;
};

struct DistConfig {
  double timeout_s;
  int64_t bucket_mb;
  bool find_unused;
  GradientCompression compress;
};

/// All settings of a run. A default-constructed one holds the defaults of the reference
/// implementation.
struct Config {
  Config();

  DataConfig data;
  ModelConfig model;
  TrainConfig train;
  AugConfig aug;
  DiffusionConfig diffusion;
  SampleConfig sample;
  FidConfig fid;
  TestConfig test;
  DistConfig dist;
  AmpMode amp;
  bool eval_mode, throughput_mode, tensorboard;
  AmpDtype amp_dtype;
  AmpResidual amp_residual;
  DeviceChoice device;
  std::string output, tag;
  int64_t save_freq, save_steps, save_keep, print_freq, seed, threads, local_rank;

  /// Where a value came from ("cfg/a.yaml:7", "--opts"), for those that are not defaults.
  std::map<std::string, std::string> origins;
};

/// Equal in every key; origins are not compared.
bool operator==(const Config& a, const Config& b);

/// OUTPUT/NAME/TAG, the run directory.
std::string run_folder(const Config& config);

/// Throws wf::Error, in one line with the keys and where they came from, when settings contradict
/// each other.
void validate(const Config& config);

}  // namespace wf
