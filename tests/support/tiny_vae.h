// A small autoencoder in diffusers' files, with weights by a formula.
#pragma once

#include "weightformer/models/vae.h"
#include "weightformer/serialization/weights.h"

#include "support/fill.h"
#include "support/temp_dir.h"

#include <string>

namespace wf::testing {

/// Halves the sides once; 3 latent channels.
inline VaeOptions tiny_vae_options() {
  return VaeOptions().block_channels({8, 16}).layers_per_block(1).groups(4).latent_channels(3);
}

inline Vae tiny_vae() {
  Vae vae(tiny_vae_options());
  fill_parameters(*vae);
  vae->eval();
  return vae;
}

inline std::string tiny_vae_config(const std::string& more = "") {
  return R"({"_class_name": "AutoencoderKL", "_diffusers_version": "0.42.1", "act_fn": "silu",
 "block_out_channels": [8, 16], "layers_per_block": 1, "norm_num_groups": 4, "latent_channels": 3,
 "in_channels": 3, "out_channels": 3, "sample_size": 32,
 "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D"],
 "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"])" +
         more + "}";
}

inline void write_tiny_vae(const std::string& directory) {
  write_file(directory + "/config.json", tiny_vae_config());
  write_safetensors(directory + "/diffusion_pytorch_model.safetensors", {state_dict(*tiny_vae())});
}

}  // namespace wf::testing
