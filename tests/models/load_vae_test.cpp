#include "weightformer/models/load.h"

#include "support/errors.h"
#include "support/tiny_vae.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <filesystem>

namespace wf::testing {
namespace {

class LoadVae : public ::testing::Test {
 protected:
  void SetUp() override { write_tiny_vae(directory_ / "vae"); }

  std::string weights() const { return directory_ / "vae/diffusion_pytorch_model.safetensors"; }
  void configure(const std::string& text) { write_file(directory_ / "vae/config.json", text); }
  std::string problem() {
    return error_of([&] { load_vae(directory_ / "vae"); });
  }
  void expect_same_network() {
    const torch::InferenceMode inference;
    const auto images = filled("input.image", {1, 3, 16, 12});
    const auto z = filled("input.z", {1, 3, 5, 4});
    const auto loaded = load_vae(directory_ / "vae");
    ASSERT_NE(loaded.vae, nullptr);
    EXPECT_TRUE(torch::equal(loaded.vae->encode(images).mean, tiny_vae()->encode(images).mean));
    EXPECT_TRUE(torch::equal(loaded.decoder->decode_latents(z), tiny_vae()->decode_latents(z)));
    EXPECT_EQ(loaded.notes, std::vector<std::string>{});
  }

  TempDir directory_;
};

TEST_F(LoadVae, ReadsTheFilesOfDiffusers) {
  expect_same_network();
  const auto by_file = load_vae(weights());
  EXPECT_EQ(by_file.decoder->latent_channels(), 3);
  EXPECT_EQ(by_file.decoder->reduction(), 2);
  EXPECT_FALSE(by_file.module->is_training());
}

TEST_F(LoadVae, ReadsTheAttentionUnderItsFormerNames) {
  TensorMap former;
  for (auto [key, tensor] : state_dict(*tiny_vae())) {
    auto name = key;
    for (const auto& [present, before] : {std::pair{"to_q.", "query."},
                                          {"to_k.", "key."},
                                          {"to_v.", "value."},
                                          {"to_out.0.", "proj_attn."}}) {
      const auto at = name.find(present);
      if (at == std::string::npos) continue;
      name.replace(at, std::string(present).size(), before);
      if (tensor.dim() == 2) tensor = tensor.unsqueeze(2).unsqueeze(3);  // 1 x 1 convolutions
    }
    former[name] = tensor;
  }
  ASSERT_EQ(former.count("encoder.mid_block.attentions.0.proj_attn.weight"), 1u);
  write_safetensors(weights(), {former});
  expect_same_network();
}

TEST_F(LoadVae, NamesSettingsThatItDoesNotKnow) {
  configure(tiny_vae_config(R"(, "use_tiling_by_default": true, "shift_factor": null)"));
  const auto loaded = load_vae(directory_ / "vae");
  ASSERT_EQ(loaded.notes.size(), 1u);
  EXPECT_TRUE(has(loaded.notes[0], "config.json: use_tiling_by_default true is not known"));
  configure(tiny_vae_config(R"(, "scaling_factor": 0.5, "shift_factor": 0.25)"));
  const auto scaled = load_vae(directory_ / "vae");
  EXPECT_EQ(scaled.vae->options.scaling(), 0.5);
  EXPECT_EQ(scaled.vae->options.shift(), 0.25);
}

TEST_F(LoadVae, RefusesWhatItCannotLoadInOneLine) {
  EXPECT_TRUE(has(error_of([&] { load_vae(directory_ / "none"); }), "none: no such file"));
  for (const auto& [more, message] :
       {std::pair{R"(, "act_fn": "gelu")", "act_fn is \"gelu\", supported is \"silu\""},
        {R"(, "latents_mean": [0.1])", "latents_mean is [0.1], supported is null"},
        {R"(, "block_out_channels": "wide")",
         "block_out_channels is \"wide\", which has the wrong"},
        {R"(, "_class_name": "VQModel")", "_class_name is VQModel, supported are AutoencoderKL"},
        {R"(, "latent_channels": 4)", "diffusion_pytorch_model.safetensors: "},
        {R"(, "up_block_types": ["AttnUpDecoderBlock2D"])", "up_block_types is"}}) {
    configure(tiny_vae_config(more));
    EXPECT_TRUE(has(problem(), message)) << problem();
  }
  configure("[1]");
  EXPECT_TRUE(has(problem(), "config.json: not a JSON object"));
  std::filesystem::remove(directory_ / "vae/config.json");
  EXPECT_TRUE(has(problem(), "config.json: no such file")) << problem();
  configure(tiny_vae_config());
  std::filesystem::remove(weights());
  EXPECT_TRUE(has(problem(), "holds none of diffusion_pytorch_model.safetensors,")) << problem();
}

TEST_F(LoadVae, TakesTheDecoderOfTaesd) {
  configure(R"({"_class_name": "AutoencoderTiny", "latent_channels": 4, "act_fn": "relu",
 "decoder_block_out_channels": [8, 8], "num_decoder_blocks": [1, 1], "scaling_factor": 1.0})");
  TinyDecoder decoder(TinyDecoderOptions().block_channels({8, 8}).blocks({1, 1}));
  fill_parameters(*decoder);
  auto tensors = state_dict(*decoder);
  tensors["encoder.layers.0.weight"] = torch::zeros({3});
  write_safetensors(weights(), {tensors});
  const auto loaded = load_vae(directory_ / "vae");
  EXPECT_EQ(loaded.vae, nullptr);
  EXPECT_EQ(loaded.decoder->reduction(), 2);
  const auto z = filled("input.z", {1, 4, 5, 4});
  EXPECT_TRUE(torch::equal(loaded.decoder->decode_latents(z), decoder->decode_latents(z)));
}

}  // namespace
}  // namespace wf::testing
