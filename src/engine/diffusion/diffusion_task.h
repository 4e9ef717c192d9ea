#pragma once

#include "weightformer/data/loader.h"
#include "weightformer/engine/task.h"
#include "weightformer/models/dit.h"

#include "diffusion/process.h"
#include "diffusion/timestep_law.h"
#include "engine/diffusion/latent_codec.h"
#include "engine/diffusion/sample_fidelity.h"
#include "engine/diffusion/sampling.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace wf {

class LossByTime;

/// The grids of samples drawn during training: one row per class, at most ten.
struct GridOptions {
  int64_t every = 0;  ///< optimizer steps; 0: none
  int64_t columns = 8;
  SamplingOptions sampling;
  bool latents = false;  ///< the data are latents
};

struct DiffusionOptions {
  ProcessOptions process;
  TimestepLawOptions timesteps;
  double label_drop = 0.1;
  c10::Device device = c10::kCPU;
  uint64_t seed = 0;
  std::vector<std::string> classes;  ///< names, in the order of the labels; may be empty
  Metadata facts;                    ///< settings of the process that a checkpoint must agree on
  GridOptions grid;
  /// Encodes batches of images and decodes grids of latents; null: the data are what they are.
  std::shared_ptr<LatentCodec> codec;
  /// Computes the FID in validations, of the first EMA, or of the trained weights without one; may
  /// be null.
  std::shared_ptr<SampleFidelity> fidelity;
  int64_t fidelity_every = 0;       ///< optimizer steps between FIDs; 0: in every validation
  bool select_by_fidelity = false;  ///< the FID selects the best checkpoint
};

/// Class-conditional image generation: a denoiser in a diffusion process, as DiT and fast-DiT train
/// it, over latents or pixels. Time, noise and dropped label of a training sample are functions of
/// (seed, epoch, sample), so that the loss does not depend on batch size or ranks beyond rounding.
/// Validated by the loss on fixed draws, functions of (seed, sample).
class DiffusionTask : public Task {
 public:
  static const MetricSpec kLoss, kSamples, kFid;
  static const MetricSpec kLossByTime[4];  ///< quarters of the process, from the data to the noise

  DiffusionTask(std::shared_ptr<DiTImpl> model, std::unique_ptr<Loader> validation,
                DiffusionOptions options);
  ~DiffusionTask() override;

  std::optional<std::vector<at::Tensor>> prepare(const Batch& batch, const StepRng& rng) override;
  std::vector<at::Tensor> losses(const std::vector<at::Tensor>& inputs) override;
  void note(const std::vector<at::Tensor>& losses) override;
  void after_step(Distributed& ranks) override;
  void reduce(Distributed& ranks) override;
  Metrics step_metrics() override;
  std::map<std::string, at::Tensor> state() const override;
  std::optional<Metrics> validate(const ValidationContext& context) override;
  const MetricSpec& selection_metric() const override {
    return options_.select_by_fidelity ? kFid : kLoss;
  }
  at::Tensor displayed(const Batch& batch, const StepRng& rng) const override;
  std::vector<TaskEvent> events(const ValidationContext& context,
                                const std::string& directory) override;
  Metadata metadata() const override;
  void check_metadata(const Metadata& saved, const std::string& source) const override;
  Metrics evaluate(const ValidationContext& context, const std::string& directory) override;

 private:
  struct Draws;
  Denoiser denoiser() const;
  at::Tensor sample_losses(const std::vector<at::Tensor>& draws) const;
  at::Tensor data_of(const Batch& batch, const std::vector<CounterRng>& posterior) const;
  std::optional<Metrics> validate_loss(const ValidationContext& context);
  bool fidelity_due(const ValidationContext& context) const;
  bool add_fidelity(const ValidationContext& context, Metrics& metrics) const;  // false: cancelled
  void write_grid(const ValidationContext& context, const std::string& path);

  std::shared_ptr<DiTImpl> dit_;
  std::unique_ptr<Loader> validation_;
  DiffusionOptions options_;
  std::unique_ptr<DiffusionProcess> process_;
  std::unique_ptr<TimestepLaw> law_;
  std::unique_ptr<LossByTime> by_time_;
  at::Tensor fidelity_step_;                      // [1] int64, the step of the last FID
  at::Tensor u_;                                  // of the micro-batch that was prepared last
  std::vector<at::Tensor> step_u_, step_losses_;  // of this rank since the last step
};

}  // namespace wf
