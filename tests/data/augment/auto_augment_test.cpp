#include "data/augment/auto_augment.h"

#include "weightformer/core/check.h"

#include "support/picture.h"

#include <gtest/gtest.h>

#include <cmath>

namespace wf::testing {
namespace {

AutoAugment policy(const std::string& text) {
  return AutoAugment(text, {{Interpolation::bicubic, {124, 116, 104}}, false});
}

std::vector<std::string> names(const AutoAugment& augment) {
  std::vector<std::string> out;
  for (const auto& group : augment.groups()) out.emplace_back(group[0].op->name);
  return out;
}

TEST(AutoAugment, TheDefaultChoosesFromTimmsFifteenIncreasingOperations) {
  const auto augment = policy("rand-m9-mstd0.5-inc1");
  EXPECT_EQ(names(augment),
            (std::vector<std::string>{"AutoContrast", "Equalize", "Invert", "Rotate",
                                      "PosterizeIncreasing", "SolarizeIncreasing", "SolarizeAdd",
                                      "ColorIncreasing", "ContrastIncreasing",
                                      "BrightnessIncreasing", "SharpnessIncreasing", "ShearX",
                                      "ShearY", "TranslateXRel", "TranslateYRel"}));
  for (const auto& group : augment.groups()) {
    ASSERT_EQ(group.size(), 1u);
    EXPECT_EQ(group[0].probability, 0.5);
    EXPECT_EQ(group[0].magnitude, 9);
  }
  EXPECT_EQ(names(policy("rand"))[4], "Posterize");
  EXPECT_EQ(names(policy("rand-p1-t3a")),
            (std::vector<std::string>{"SolarizeIncreasing", "Desaturate", "GaussianBlur"}));
}

TEST(AutoAugment, TheNamedPoliciesHaveTwentyFivePairs) {
  for (const char* name : {"original", "originalr", "v0", "v0r", "original-mstd0.5"}) {
    const auto augment = policy(name);
    EXPECT_EQ(augment.groups().size(), 25u) << name;
    for (const auto& group : augment.groups()) EXPECT_EQ(group.size(), 2u) << name;
  }
  EXPECT_EQ(policy("original").groups()[0][0].op->name, "PosterizeOriginal");
  EXPECT_EQ(policy("originalr").groups()[0][0].op->name, "PosterizeIncreasing");
  EXPECT_EQ(policy("v0").groups()[12][0].op->name, "Posterize");
  EXPECT_EQ(policy("v0").groups()[15][1].magnitude, 9);
  EXPECT_EQ(policy("v0r").groups()[12][0].op->name, "PosterizeIncreasing");
  EXPECT_EQ(policy("3a").groups().size(), 3u);
}

// What many draws do to the golden image, beside what timm 1.0.31 does (6000 draws each).
struct Known {
  const char* text;
  double mean, mean_deviation;      // of an image's values
  double change, change_deviation;  // mean absolute difference from the input
  double untouched;                 // share of draws that change nothing
};

class Distribution : public ::testing::TestWithParam<Known> {};

TEST_P(Distribution, IsTimms) {
  constexpr int kDraws = 2000;
  const auto& known = GetParam();
  const auto augment = policy(known.text);
  const auto input = read_picture(WF_GOLDEN_DIR "/rand_augment_ops/input.png");
  const auto size = static_cast<double>(input.pixels.size());
  double mean = 0, change = 0, untouched = 0;
  for (uint64_t i = 0; i < kDraws; ++i) {
    auto image = input;
    CounterRng rng{11, i};
    augment(image, rng);
    int64_t sum = 0, difference = 0;
    for (size_t k = 0; k < image.pixels.size(); ++k) {
      sum += image.pixels[k];
      difference += std::abs(image.pixels[k] - input.pixels[k]);
    }
    mean += sum / size / kDraws;
    change += difference / size / kDraws;
    untouched += difference == 0 ? 1.0 / kDraws : 0;
  }
  const double errors = 4 * std::sqrt(1.0 / kDraws + 1.0 / 6000);
  EXPECT_NEAR(mean, known.mean, errors * known.mean_deviation);
  EXPECT_NEAR(change, known.change, errors * known.change_deviation);
  EXPECT_NEAR(untouched, known.untouched, errors * 0.5);
}

INSTANTIATE_TEST_SUITE_P(
    Policies, Distribution,
    ::testing::Values(Known{"rand-m9-mstd0.5-inc1", 129.605, 30.519, 40.456, 36.004, 0.257},
                      Known{"rand-m6-n3-p0.8-mstd101", 112.494, 41.437, 59.228, 35.673, 0.011},
                      Known{"rand-m9-tweights", 133.781, 11.748, 38.873, 26.089, 0.250},
                      Known{"rand-m7-n3-t3aw", 122.321, 26.724, 43.513, 30.459, 0.128},
                      Known{"original-mstd0.5", 127.384, 15.597, 33.901, 32.646, 0.148},
                      Known{"originalr", 124.824, 17.796, 36.862, 32.513, 0.152},
                      Known{"v0", 123.863, 28.714, 34.377, 32.635, 0.187},
                      Known{"v0r", 128.260, 16.981, 30.188, 26.454, 0.173},
                      Known{"3a", 116.448, 30.494, 31.570, 23.223, 0.001},
                      Known{"augmix-m5-w4-d2", 131.789, 7.288, 13.42, 9.992, 0.0},
                      Known{"augmix-a0.5-mstd1", 130.982, 10.523, 16.177, 14.617, 0.0}),
    [](const auto& info) {
      std::string name;
      for (const char* c = info.param.text; *c; ++c) {
        if (std::isalnum(static_cast<unsigned char>(*c))) name += *c;
      }
      return name;
    });

TEST(AutoAugment, AnOperationOfWeightZeroNeverComesAndNoneComesTwice) {
  // 13 of the 15 have a weight: all of them come, each once, in any order.
  const auto augment = policy("rand-n13-w0-p0");
  Image image{1, 1, {1, 2, 3}};
  CounterRng rng{2};
  augment(image, rng);
  EXPECT_EQ(image.pixels, (std::vector<uint8_t>{1, 2, 3}));
  EXPECT_THROW(policy("rand-n14-w0"), Error);
  EXPECT_THROW(policy("rand-n4-t3aw-m"), Error);
}

TEST(AutoAugment, ReportsWhatIsWrongWithANumber) {
  const std::pair<const char*, const char*> cases[] = {
      {"rand-m9x", "part 'm9x': expected m and a number of at least 0, got '9x'"},
      {"rand-m", "part 'm': expected m and a number of at least 0, got ''"},
      {"rand-p2", "part 'p2': expected p and a number from 0 to 1, got '2'"},
      {"rand-n1.5", "part 'n1.5': expected n and an integer from 0 to 100, got '1.5'"},
      {"rand-mmax0", "part 'mmax0': expected mmax and a number above 0, got '0'"},
      {"augmix-w0", "part 'w0': expected w and an integer from 1 to 100, got '0'"},
      {"v0-mstd1e999", "part 'mstd1e999': expected mstd and a number of at least 0, got '1e999'"},
      {"v0-m9", "unknown part 'm9'"},
  };
  for (const auto& [text, expected] : cases) {
    try {
      policy(text);
      FAIL() << text << " was accepted";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(expected), std::string::npos) << error.what();
    }
  }
}

TEST(AutoAugment, AugMixMixesChainsOfThirteenOperations) {
  const auto augment = policy("augmix");
  EXPECT_EQ(names(augment),
            (std::vector<std::string>{"AutoContrast", "ColorIncreasing", "ContrastIncreasing",
                                      "BrightnessIncreasing", "SharpnessIncreasing", "Equalize",
                                      "Rotate", "PosterizeIncreasing", "SolarizeIncreasing",
                                      "ShearX", "ShearY", "TranslateXRel30", "TranslateYRel30"}));
  EXPECT_EQ(augment.groups()[0][0].magnitude, 3);
  EXPECT_EQ(augment.groups()[0][0].probability, 1);
  for (const char* bad : {"augmix-w0", "augmix-d1.5", "augmix-a0", "augmix-b1", "augmix-n2"}) {
    EXPECT_THROW(policy(bad), Error) << bad;
  }
  // An image that no operation changes is its own average.
  Image grey{2, 2, std::vector<uint8_t>(12, 128)};
  const auto still =
      AutoAugment("augmix-m0-w100", {{Interpolation::bicubic, {128, 128, 128}}, false});
  CounterRng rng{3};
  still(grey, rng);
  for (const int value : grey.pixels) EXPECT_NEAR(value, 128, 1);
}

TEST(AutoAugment, TheKeyDecides) {
  const auto augment = policy("rand-m9-mstd0.5-inc1");
  const auto input = read_picture(WF_GOLDEN_DIR "/rand_augment_ops/input.png");
  const auto draw = [&](uint64_t key) {
    auto image = input;
    CounterRng rng{key};
    augment(image, rng);
    return image.pixels;
  };
  int different = 0;
  for (uint64_t key = 0; key < 20; ++key) {
    EXPECT_EQ(draw(key), draw(key));
    different += draw(key) != draw(key + 1);
  }
  EXPECT_GT(different, 15);
}

TEST(AugmentOp, AnUnknownNameIsAnError) { EXPECT_THROW(augment_op("Cutout"), Error); }

}  // namespace
}  // namespace wf::testing
