// From the configuration to image generation.
#pragma once

#include "weightformer/config/config.h"
#include "weightformer/models/dit.h"
#include "weightformer/serialization/weights.h"

#include "engine/diffusion/sampling.h"
#include "engine/tasks.h"

#include <functional>
#include <memory>

namespace wf {

/// MODEL.* and DIFFUSION.* as a denoiser with random weights on `device`.
std::shared_ptr<DiTImpl> build_dit(const Config& config, c10::Device device);

/// The same for `weights`, which are not loaded: without settings of their own, their classes,
/// channels, size and learned variance are those of their shapes.
std::shared_ptr<DiTImpl> build_dit_for(const Config& config, const Weights& weights,
                                       c10::Device device);

/// See TaskEntry::forward.
std::function<void()> dit_forward(const Config& config, Model& model, int64_t samples);

/// DIFFUSION.*
ProcessOptions process_options(const DiffusionConfig& diffusion);

/// Whether the data of the model are latents: of files, or of images that DATA.VAE encodes.
bool denoises_latents(const Config& config);

/// SAMPLE.*, for data of DATA.IMG_SIZE.
SamplingOptions sampling_options(const Config& config, c10::Device device);

/// Throws wf::Error for an unknown model and for contradictory settings.
void check_diffusion(const Config& config);

/// The task of MODEL.TYPE wfm_dit on DATA_PATH/train and, for the validation loss, DATA_PATH/val;
/// without one, on samples of the training set.
TaskSetup build_diffusion(const Config& config, const TaskRequest& request);

}  // namespace wf
