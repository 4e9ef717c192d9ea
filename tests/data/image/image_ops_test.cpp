#include "data/image/image_ops.h"

#include "data/augment/auto_augment.h"
#include "support/picture.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace wf::testing {
namespace {

constexpr WarpOptions kWarp{Interpolation::bicubic, {124, 116, 104}};

// `about.json` of a directory of golden images NAME.LEVEL.SIGN.png, all made of one input.
void expect_golden(const std::string& folder, size_t count) {
  const std::string root = std::string(WF_GOLDEN_DIR "/") + folder + "/";
  const auto about = nlohmann::json::parse(read_file(root + "about.json"));
  const auto input = read_picture(WF_GOLDEN_DIR "/rand_augment_ops/input.png");
  auto warp = kWarp;
  if (about["interpolation"] == "bilinear") warp.interpolation = Interpolation::bilinear;
  EXPECT_EQ(about["args"].size(), count);
  for (const auto& [key, args] : about["args"].items()) {
    const std::string name = key.substr(0, key.find('.'));
    const double level = std::stod(key.substr(name.size() + 1));
    const auto& op = augment_op(name);
    const double argument = op.argument ? op.argument(level, key.back() == '-') : 0;
    if (!args.empty()) {
      EXPECT_DOUBLE_EQ(argument, args[0].get<double>()) << key;
    }
    auto actual = input;
    CounterRng unused{0};
    op.apply(actual, argument, warp, unused);
    const bool geometric = name.find("ate") != std::string::npos ||  // Rotate, Translate
                           name.find("Shear") != std::string::npos;
    const bool moves = geometric && name != "Desaturate";
    expect_pixels(actual, read_picture(root + key + ".png"), moves ? 1 : 0, moves ? 0.06 : 0, key);
    EXPECT_NE(actual.pixels, input.pixels) << key << " does nothing";
  }
}

TEST(ImageOps, EveryGoldenRandAugmentOperationIsPils) { expect_golden("rand_augment_ops", 48); }
TEST(ImageOps, SoAreBilinearWarpsBlurAndTheOtherVariants) { expect_golden("augment_ops", 13); }

Image noise(int height, int width, int64_t values = 256) {
  Image image{height, width, {}};
  CounterRng rng{3, static_cast<uint64_t>(height), static_cast<uint64_t>(width)};
  for (int i = 0; i < height * width * 3; ++i) {
    image.pixels.push_back(static_cast<uint8_t>(rng.below(values)));
  }
  return image;
}

TEST(ImageOps, NoSizeIsTooSmall) {
  for (const auto& [height, width] : {std::pair{0, 0}, {1, 1}, {1, 9}, {2, 3}, {3, 2}, {5, 1}}) {
    for (const char* name :
         {"AutoContrast", "Equalize", "Invert", "Rotate", "Posterize", "Solarize", "SolarizeAdd",
          "Color", "Contrast", "Brightness", "Sharpness", "ShearX", "ShearY", "TranslateXRel",
          "TranslateYRel", "Desaturate", "GaussianBlur", "GaussianBlurRand"}) {
      auto image = noise(height, width);
      CounterRng rng{1};
      const auto& op = augment_op(name);
      op.apply(image, op.argument ? op.argument(7, false) : 0, kWarp, rng);
      EXPECT_EQ(image.pixels.size(), static_cast<size_t>(height) * width * 3) << name;
    }
    auto image = noise(height, width);
    flip_horizontally(image);
    flip_horizontally(image);
    EXPECT_EQ(image.pixels, noise(height, width).pixels);
  }
}

TEST(ImageOps, WhatChangesNothingChangesNothing) {
  const auto before = noise(12, 17);
  const auto same = [&](auto&& action) {
    auto image = before;
    action(image);
    return image.pixels == before.pixels;
  };
  EXPECT_TRUE(same([](Image& image) { invert(image), invert(image); }));
  EXPECT_TRUE(same([](Image& image) { rotate(image, 0, kWarp); }));
  EXPECT_TRUE(same([](Image& image) { affine(image, {1, 0, 0, 0, 1, 0}, kWarp); }));
  EXPECT_TRUE(same([](Image& image) { posterize(image, 8); }));
  EXPECT_TRUE(same([](Image& image) { solarize(image, 256); }));
  EXPECT_TRUE(same([](Image& image) { gaussian_blur(image, 0); }));
  EXPECT_TRUE(same([](Image& image) { adjust_color(image, 1); }));
  EXPECT_TRUE(same([](Image& image) { adjust_sharpness(image, 1); }));
  EXPECT_FALSE(same([](Image& image) { affine(image, {1, 0, 0.5, 0, 1, 0}, kWarp); }));
}

TEST(ImageOps, WhatLeavesTheFrameIsReplacedByTheFillColor) {
  auto image = noise(8, 10);
  affine(image, {1, 0, 4, 0, 1, 0}, kWarp);
  const auto before = noise(8, 10);
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 10; ++x) {
      for (int c = 0; c < 3; ++c) {
        const int expected = x < 6 ? before.pixels[(y * 10 + x + 4) * 3 + c] : kWarp.fill[c];
        EXPECT_EQ(image.pixels[(y * 10 + x) * 3 + c], expected) << x << " " << y;
      }
    }
  }
}

TEST(ImageOps, AFlatChannelIsUnchangedByStretching) {
  const Image flat{6, 6, std::vector<uint8_t>(108, 77)};
  auto image = flat;
  autocontrast(image);
  equalize(image);
  EXPECT_EQ(image.pixels, flat.pixels);
  auto two = noise(40, 40, 2);
  autocontrast(two);
  EXPECT_EQ(*std::max_element(two.pixels.begin(), two.pixels.end()), 255);
}

}  // namespace
}  // namespace wf::testing
