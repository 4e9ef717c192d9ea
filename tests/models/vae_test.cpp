#include "weightformer/models/vae.h"

#include "support/errors.h"
#include "support/fill.h"
#include "support/golden.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace wf::testing {
namespace {

constexpr double kVaeTolerance = 1e-5;

VaeOptions usual() { return VaeOptions().block_channels({32, 64}).layers_per_block(1).groups(8); }

// The configurations of make_vae_golden.py.
Vae seeded(const std::string& name) {
  auto options = usual();
  if (name == "three") {
    options = VaeOptions().block_channels({16, 32, 32}).layers_per_block(2).groups(4);
    options.latent_channels(8).quant_conv(false).post_quant_conv(false).attention(false);
    options.scaling(0.5).shift(0.1);
  }
  Vae vae(options);
  fill_parameters(*vae);
  vae->eval();
  return vae;
}

class VaeParity : public ::testing::TestWithParam<std::string> {};

TEST_P(VaeParity, EncodesAndDecodesAsDiffusers) {
  const torch::InferenceMode inference;
  const auto file = golden("vae/vae.safetensors");
  const auto sizes = about(file)["sizes"];
  ASSERT_EQ(sizes.size(), 2u);
  auto vae = seeded(GetParam());
  for (const auto& size : sizes) {
    const int64_t batch = size[0], height = size[1], width = size[2];
    const auto key = str(GetParam(), ".", height, "x", width);
    const auto posterior = vae->encode(filled("input.image." + key, {batch, 3, height, width}));
    expect_close(posterior.mean, file.tensors.at(key + ".mean"), kVaeTolerance, key + ".mean");
    expect_close(posterior.logvar, file.tensors.at(key + ".logvar"), kVaeTolerance,
                 key + ".logvar");
    const auto z = filled("input.z." + key, {batch, vae->latent_channels(), height / 4, width / 5});
    expect_close(vae->decode(z), file.tensors.at(key + ".decoded"), kVaeTolerance,
                 key + ".decoded");
    expect_close(vae->decode_latents(vae->scale(z)), file.tensors.at(key + ".decoded"),
                 kVaeTolerance, key + " scaled");
  }
}

TEST_P(VaeParity, ChannelsLastAndBfloat16ChangeRoundingOnly) {
  const torch::InferenceMode inference;
  auto vae = seeded(GetParam());
  const auto z = filled("input.z", {2, vae->latent_channels(), 6, 5});
  const auto expected = vae->decode(z);
  const auto last = vae->decode(z.contiguous(at::MemoryFormat::ChannelsLast));
  expect_close(last, expected, kVaeTolerance, "channels last");
  vae->to(torch::kBFloat16);
  expect_close(vae->decode(z.to(torch::kBFloat16)), expected, 0.03, "bfloat16");
}

INSTANTIATE_TEST_SUITE_P(Configurations, VaeParity, ::testing::Values("usual", "three"));

TEST(Vae, InTilesComputesWhatDiffusersComputes) {
  const torch::InferenceMode inference;
  const auto file = golden("vae/vae.safetensors");
  auto vae = seeded("usual");
  const VaeTiling tiling{16};
  const auto image = filled("input.tiled.image", {1, 3, 40, 22});
  expect_close(vae->encode(image, tiling).mean, file.tensors.at("tiled.mean"), kVaeTolerance,
               "mean");
  const auto z = filled("input.tiled.z", {1, 4, 20, 11});
  const auto decoded = vae->decode(z, tiling);
  expect_close(decoded, file.tensors.at("tiled.decoded"), kVaeTolerance, "decoded");
  // As a single image or in a batch, and not cut where one tile does.
  const auto batch = vae->decode(torch::cat({-z, z}), tiling);
  expect_close(batch[1], decoded[0], 1e-6, "in a batch");
  const auto small = filled("input.z", {1, 4, 8, 7});
  EXPECT_TRUE(torch::equal(vae->decode(small, tiling), vae->decode(small)));
  // A last tile too small for the encoder is left out, as the encoder leaves out a last row.
  EXPECT_EQ(vae->encode(torch::zeros({1, 3, 37, 25}), tiling).mean.sizes(),
            vae->encode(torch::zeros({1, 3, 36, 24})).mean.sizes());
}

TEST(Vae, RefusesWhatDoesNotFit) {
  EXPECT_TRUE(has(error_of([] { Vae(usual().groups(12)); }), "a width of 32 cannot be divided"));
  EXPECT_TRUE(has(error_of([] { Vae(usual().scaling(0)); }), "scaling factor must be positive"));
  auto vae = seeded("usual");
  EXPECT_TRUE(has(error_of([&] {
                    vae->encode(torch::zeros({1, 4, 8, 8}));
                  }),
                  "expected images [B, 3, H, W]"));
  EXPECT_TRUE(has(error_of([&] {
                    vae->decode(torch::zeros({1, 3, 8, 8}));
                  }),
                  "expected latents [B, 4, h, w]"));
  EXPECT_TRUE(has(error_of([&] {
                    vae->decode(torch::zeros({1, 4, 9, 9}), VaeTiling{14});
                  }),
                  "multiples of 4"));
}

TEST(TinyDecoder, DecodesAsDiffusers) {
  const torch::InferenceMode inference;
  TinyDecoder decoder(TinyDecoderOptions().block_channels({16, 16, 16}).blocks({2, 1, 1}));
  fill_parameters(*decoder);
  const auto expected = golden("vae/vae.safetensors").tensors.at("tiny.decoded");
  expect_close(decoder->decode_latents(filled("input.tiny", {2, 4, 7, 5})), expected, kVaeTolerance,
               "decoded");
  EXPECT_TRUE(has(error_of([&] {
                    decoder->decode_latents(torch::zeros({1, 3, 8, 8}));
                  }),
                  "expected latents"));
}

}  // namespace
}  // namespace wf::testing
