// Classifier-free guidance (Ho and Salimans 2022).
#pragma once

#include "weightformer/config/diffusion_enums.h"

#include "diffusion/denoiser.h"

namespace wf {

struct GuidanceOptions {
  double scale = 1;  ///< unguided + scale * (conditional - unguided); 1: none
  GuidedChannels channels = GuidedChannels::three;
  /// Fractions of the process between which guidance is on (Kynkäänniemi et al. 2024). Outside,
  /// only the conditional half is computed.
  double low = 0, high = 1;
  double noise_time = 1000;   ///< the network's time at fraction 1, see noise_time()
  int64_t data_channels = 4;  ///< C; further channels are those of the conditional half
  int64_t null_class = 1000;
};

/// `denoise` with guidance: called with 2B samples (the conditional half first) where guidance is
/// on, with B elsewhere. All samples of a batch must have the same t.
Denoiser guided(Denoiser denoise, const GuidanceOptions& options);

}  // namespace wf
