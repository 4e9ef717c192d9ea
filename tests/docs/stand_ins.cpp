// wf_stand_ins DIRECTORY: small stand-ins for the files of weights that the commands of the
// documentation name, under those names, with weights by a formula.

#include "weightformer/models/load.h"
#include "weightformer/models/model.h"
#include "weightformer/serialization/weights.h"

#include "support/fill.h"
#include "support/inception_weights.h"

#include <filesystem>
#include <fstream>
#include <iostream>

namespace wf::testing {
namespace {

// Four latent channels and an eighth of the sides, as Stable Diffusion's.
void write_autoencoder(const std::string& directory) {
  std::filesystem::create_directories(directory);
  std::ofstream(directory + "/config.json") << R"({"_class_name": "AutoencoderKL",
 "_diffusers_version": "0.42.1", "act_fn": "silu", "block_out_channels": [8, 8, 8, 8],
 "layers_per_block": 1, "norm_num_groups": 4, "latent_channels": 4, "in_channels": 3,
 "out_channels": 3, "sample_size": 64, "scaling_factor": 0.18215,
 "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D",
                      "DownEncoderBlock2D"],
 "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D",
                    "UpDecoderBlock2D"]})";
  Vae vae(VaeOptions().block_channels({8, 8, 8, 8}).layers_per_block(1).groups(4));
  fill_parameters(*vae);
  write_safetensors(directory + "/diffusion_pytorch_model.safetensors", {state_dict(*vae), {}});
}

void write_stand_ins(const std::string& directory) {
  write_autoencoder(directory + "/sd-vae-ft-ema");
  write_safetensors(directory + "/pt_inception-2015-12-05-6726825d.pth", {inception_weights(), {}});
  for (const char* name : {"wfm_tiny", "wfm_small"}) {
    const auto model = create_classifier(name);
    fill_parameters(*model);
    write_safetensors(directory + "/" + name + ".safetensors", {state_dict(*model), {}});
  }
}

}  // namespace
}  // namespace wf::testing

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: wf_stand_ins DIRECTORY\n";
    return 2;
  }
  wf::testing::write_stand_ins(argv[1]);
}
