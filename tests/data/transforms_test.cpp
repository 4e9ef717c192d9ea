#include "data/transforms.h"

#include "weightformer/core/check.h"

#include "support/picture.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <sstream>

namespace wf::testing {
namespace {

std::vector<std::string> words(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string word; std::getline(in, word, '.');) out.push_back(word);
  return out;
}

// Files are called IMAGE.jpg.KIND.….SIZE.FILTER.png; the image is the decoded golden one.
TEST(EvalTransforms, EveryGoldenImageIsPilsToOneStep) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(WF_GOLDEN_DIR "/eval_transforms")) {
    if (entry.path().extension() != ".png") continue;
    const auto name = entry.path().filename().string();
    const auto part = words(name);
    const auto picture = read_picture(WF_GOLDEN_DIR "/decoded/" + part[0] + ".jpg.png");
    const auto expected = read_picture(entry.path().string());
    TransformOptions options;
    options.size = std::stoi(part[part.size() - 3]);
    options.crop = part[2] == "crop";
    options.interpolation =
        part[part.size() - 2] == "bicubic" ? Interpolation::bicubic : Interpolation::bilinear;
    if (part[2] == "resized_crop") {
      const Box box{std::stoi(part[3]), std::stoi(part[4]), std::stoi(part[5]), std::stoi(part[6])};
      expect_pixels(resize(picture, box, options.size, options.size, options.interpolation),
                    expected, 1, 0.05, name);
    } else {
      expect_pixels(eval_crop(picture, options), expected, 1, 0.05, name);
    }
    ++count;
  }
  EXPECT_EQ(count, 19);
}

Image ramp(int height, int width) {
  Image image{height, width, {}};
  for (int i = 0; i < height * width * 3; ++i) image.pixels.push_back(static_cast<uint8_t>(i * 7));
  return image;
}

TEST(Resize, ToTheSameSizeChangesNothing) {
  const auto image = ramp(9, 5);
  EXPECT_EQ(resize(image, {0, 0, 9, 5}, 9, 5, Interpolation::bicubic).pixels, image.pixels);
  const auto part = resize(image, {2, 1, 3, 4}, 3, 4, Interpolation::bilinear);
  EXPECT_EQ(part.pixels[0], image.pixels[(2 * 5 + 1) * 3]);
}

TEST(Resize, AFlatImageStaysFlatAtAnyScale) {
  const Image flat{40, 30, std::vector<uint8_t>(40 * 30 * 3, 201)};
  for (int side : {1, 7, 29, 200}) {
    for (auto filter : {Interpolation::bilinear, Interpolation::bicubic}) {
      for (uint8_t value : resize(flat, {0, 0, 40, 30}, side, side, filter).pixels) {
        ASSERT_EQ(value, 201) << side;
      }
    }
  }
}

TEST(Resize, ABoxOutsideTheImageIsAnError) {
  const auto image = ramp(4, 4);
  EXPECT_THROW(resize(image, {0, 0, 5, 4}, 2, 2, Interpolation::bicubic), Error);
  EXPECT_THROW(resize(image, {-1, 0, 2, 2}, 2, 2, Interpolation::bicubic), Error);
  EXPECT_THROW(resize(image, {0, 0, 4, 4}, 0, 2, Interpolation::bicubic), Error);
}

TEST(RandomResizedBox, KeepsInsideTheImageAndWithinItsRanges) {
  constexpr int kHeight = 300, kWidth = 200, kDraws = 20000;
  double area = 0, log_aspect = 0;
  for (uint64_t i = 0; i < kDraws; ++i) {
    CounterRng rng{i};
    const Box box = random_resized_box(kHeight, kWidth, rng);
    ASSERT_GE(box.top, 0);
    ASSERT_GE(box.left, 0);
    ASSERT_LE(box.top + box.height, kHeight);
    ASSERT_LE(box.left + box.width, kWidth);
    const double share = static_cast<double>(box.height) * box.width / (kHeight * kWidth);
    const double aspect = static_cast<double>(box.width) / box.height;
    ASSERT_GE(share, 0.07);
    ASSERT_GE(aspect, 0.72);
    ASSERT_LE(aspect, 1.38);
    area += share / kDraws;
    log_aspect += std::log(aspect) / kDraws;
  }
  // Large wide boxes do not fit an upright image and are drawn again, which shifts both means
  // down; the numbers are those of a Monte Carlo run of the same recipe in Python.
  EXPECT_NEAR(area, 0.3898, 0.005);
  EXPECT_NEAR(log_aspect, -0.0312, 0.005);
}

TEST(RandomResizedBox, AnExtremeImageGivesTheCenteredFallback) {
  CounterRng rng{1};
  const Box box = random_resized_box(20, 20000, rng);
  EXPECT_EQ(box.height, 20);
  EXPECT_EQ(box.width, 27);
  EXPECT_NEAR(box.left, 9986, 1);
  CounterRng other{1};
  EXPECT_EQ(random_resized_box(1, 1, other).height, 1);
}

TEST(TrainTransform, TheKeyDecidesAndSmallImagesAreCroppedWithPadding) {
  TransformOptions options;
  options.size = 16;
  const auto transform = make_train_transform(options);
  const auto image = ramp(16, 16);
  const auto draw = [&](uint64_t key) {
    std::vector<float> out(3 * 16 * 16);
    CounterRng rng{key};
    (*transform)(image, rng, out.data());
    return out;
  };
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));

  options.crop_padding = 0;
  options.hflip = 0;
  std::vector<float> plain(3 * 16 * 16);
  CounterRng rng{1};
  (*make_train_transform(options))(image, rng, plain.data());
  for (int channel = 0; channel < 3; ++channel) {
    const float expected =
        (image.pixels[channel] / 255.0f - kImagenetMean[channel]) / kImagenetStd[channel];
    EXPECT_FLOAT_EQ(plain[channel * 256], expected);
  }
}

TEST(TrainTransform, HalfOfTheImagesAreFlipped) {
  TransformOptions options;
  options.size = 8;
  options.crop_padding = 0;
  const auto transform = make_train_transform(options);
  Image image{8, 8, std::vector<uint8_t>(8 * 8 * 3, 0)};
  image.pixels[0] = 255;  // red in the top left corner
  int flipped = 0;
  for (uint64_t i = 0; i < 2000; ++i) {
    std::vector<float> out(3 * 8 * 8);
    CounterRng rng{i};
    (*transform)(image, rng, out.data());
    flipped += out[7] > out[0];
  }
  EXPECT_NEAR(flipped, 1000, 5 * 22.4);
}

}  // namespace
}  // namespace wf::testing
