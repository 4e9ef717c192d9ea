#include "weightformer/models/inception.h"

#include "support/errors.h"
#include "support/golden.h"
#include "support/inception_weights.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace wf::testing {
namespace {

constexpr double kTolerance = 1e-5;

// Made once: the formula takes a second for 24 million weights.
Inception seeded() {
  static const TensorMap weights = inception_weights();
  Inception model;
  load_weights(*model, weights, "formula");
  model->eval();
  return model;
}

void expect_golden(Inception model) {
  const torch::InferenceMode inference;
  const auto file = golden("inception/features.safetensors");
  const auto sizes = about(file)["sizes"];
  ASSERT_EQ(sizes.size(), 3u);
  for (const auto& size : sizes) {
    const int64_t height = size[0], width = size[1];
    const auto image = inception_image(height, width);
    for (const auto input : {InceptionInput::tensorflow, InceptionInput::pytorch}) {
      const auto key = str(to_string(input), ".", height, "x", width, ".");
      const auto out = model->forward(inception_input(image, input));
      expect_close(out.pooled, file.tensors.at(key + "pooled"), kTolerance, key);
      if (input == InceptionInput::pytorch) continue;
      expect_close(out.spatial, file.tensors.at(key + "spatial"), kTolerance, key + "spatial");
      expect_close(model->logits(out.pooled), file.tensors.at(key + "logits"), kTolerance,
                   key + "logits");
    }
  }
}

TEST(Inception, HasTheNamesAndShapesOfPytorchFid) {
  const auto golden_shapes = about(golden("inception/features.safetensors"))["shapes"];
  const auto state = state_dict(*Inception());
  EXPECT_EQ(state.size(), golden_shapes.size());
  for (const auto& [name, shape] : golden_shapes.items()) {
    ASSERT_TRUE(state.count(name)) << name;
    EXPECT_EQ(state.at(name).sizes().vec(), shape.get<std::vector<int64_t>>()) << name;
  }
}

TEST(Inception, ComputesTheFeaturesOfPytorchFidAndTorchFidelity) { expect_golden(seeded()); }

TEST(Inception, FoldedNormalizationChangesRoundingOnly) {
  auto model = seeded();
  model->fold_norms();
  expect_golden(model);
}

TEST(Inception, AnImageDoesNotDependOnItsBatch) {
  const torch::InferenceMode inference;
  auto model = seeded();
  const auto a = inception_image(64, 64), b = 255 - a;
  const auto input = InceptionInput::tensorflow;
  const auto both = model->forward(inception_input(torch::cat({a, b}), input));
  expect_close(both.pooled[1], model->forward(inception_input(b, input)).pooled[0], 1e-6, "pooled");
  EXPECT_EQ(both.spatial.sizes(), at::IntArrayRef({2, 2023}));
}

TEST(InceptionInput, OfTheRightSizeIsOnlyScaled) {
  const auto image = inception_image(299, 299);
  const auto x = image.to(torch::kDouble);
  expect_close(inception_input(image, InceptionInput::tensorflow), (x - 128) / 128, 1e-7, "TF");
  expect_close(inception_input(image, InceptionInput::pytorch), x / 127.5 - 1, 1e-7, "PyTorch");
}

TEST(InceptionInput, OfTensorFlowHasCornersOnTheGridAndThatOfPytorchCenters) {
  // A ramp of 13 columns at 299: position i shows column i / 23, or (i + 0.5) / 23 - 0.5.
  const auto ramp = (10 * torch::arange(13)).to(torch::kByte).expand({1, 3, 13, 13});
  const auto at = [&](InceptionInput input, int64_t column) {
    return inception_input(ramp, input)[0][0][100][column].item<double>();
  };
  EXPECT_NEAR(at(InceptionInput::tensorflow, 115), (10 * 5.0 - 128) / 128, 1e-5);
  EXPECT_NEAR(at(InceptionInput::pytorch, 115), (10 * (115.5 / 23 - 0.5)) / 127.5 - 1, 1e-5);
  EXPECT_NEAR(at(InceptionInput::tensorflow, 298), (120.0 - 128) / 128, 1e-5) << "the last repeats";
}

TEST(InceptionInput, NamesAndRefusals) {
  for (const auto input : {InceptionInput::tensorflow, InceptionInput::pytorch}) {
    EXPECT_EQ(parse_inception_input(to_string(input)), input);
  }
  EXPECT_TRUE(has(error_of([] { parse_inception_input("torch"); }), "did you mean 'pytorch'"));
  EXPECT_TRUE(
      has(error_of([] {
            inception_input(torch::zeros({1, 1, 8, 8}, torch::kByte), InceptionInput::pytorch);
          }),
          "expected images [B, 3, H, W] of uint8, got [1, 1, 8, 8]"));
  EXPECT_TRUE(has(error_of([] {
                    Inception()->forward(torch::zeros({1, 3, 74, 80}));
                  }),
                  "at least 75 x 75"));
}

}  // namespace
}  // namespace wf::testing
