// Samples from a trained denoiser.
#pragma once

#include "weightformer/core/graphed_function.h"
#include "weightformer/models/dit.h"
#include "weightformer/nn/mixed_precision.h"

#include "diffusion/guidance.h"
#include "diffusion/solver.h"

#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace wf {

struct SamplingOptions {
  ProcessOptions process;
  SolverOptions solver;
  GuidanceOptions guidance;
  int64_t height = 32, width = 32;  ///< of the data that the network denoises
  uint64_t seed = 0;
  int64_t batch_size = 64;  ///< samples at a time; their noise does not depend on it
  /// Fill the last batch up, so that every sample is computed in a batch of the same size: matrix
  /// products of another size may differ in the last bits.
  bool fixed_batch = false;
  c10::Device device = c10::kCPU;
  std::optional<Precision> amp;  ///< mixed precision
};

/// The label of sample `index`, drawn from (seed, index).
int64_t random_label(uint64_t seed, int64_t index, int64_t classes);

/// Draws samples. Sample `index` is a function of (weights, seed, index, label, options): not of
/// the other samples, the number of ranks or restarts. On a GPU the network runs as a CUDA graph,
/// and a step waits for nothing. Weights may change between calls of draw(), but must keep their
/// memory.
class SampleGenerator {
 public:
  SampleGenerator(std::shared_ptr<DiTImpl> model, const SamplingOptions& options);

  /// Samples with these indices and labels, [N, C, H, W] float32 on the CPU; data in [-1, 1] for
  /// images. The model is in evaluation mode during the call. `on_step`, when given, is called
  /// after each step of the solver with the number of steps done and the total over all batches,
  /// and may throw to stop.
  at::Tensor draw(const std::vector<int64_t>& indices, const std::vector<int64_t>& labels,
                  const std::function<void(int64_t, int64_t)>& on_step = {}) const;

 private:
  at::Tensor draw_batch(const std::vector<int64_t>& indices, const std::vector<int64_t>& labels,
                        const std::function<void(int64_t)>& on_step) const;

  std::shared_ptr<DiTImpl> model_;
  SamplingOptions options_;
  std::unique_ptr<Solver> solver_;
  std::unique_ptr<GraphedFunction> network_;  // of x, t and labels
};

/// Data in [-1, 1] as bytes, [N, C, H, W] uint8: 127.5 x + 128, clamped and truncated, as DiT's
/// published sampling scripts do it.
at::Tensor to_bytes(const at::Tensor& samples);

}  // namespace wf
