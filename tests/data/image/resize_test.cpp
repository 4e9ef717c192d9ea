#include "data/image/resize.h"

#include "weightformer/core/check.h"
#include "weightformer/core/random.h"

#include "data/image/pixel_kernels.h"
#include "support/photo.h"
#include "support/picture.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <sstream>

namespace wf::testing {
namespace {

// Files are called odd_size_422_TOP_LEFT_HEIGHT_WIDTH_ROWS_COLUMNS_FILTER.png: what
// PIL.Image.resize((COLUMNS, ROWS), FILTER, box) makes of the decoded golden image.
TEST(ResizeInto, ABoxWithFractionsIsPilsToTheBit) {
  const auto picture = read_picture(WF_GOLDEN_DIR "/decoded/odd_size_422.jpg.png");
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(WF_GOLDEN_DIR "/resize_box")) {
    const auto name = entry.path().filename().string();
    std::istringstream words(name.substr(std::string("odd_size_422_").size()));
    std::vector<double> at;
    std::string filter;
    for (std::string word; std::getline(words, word, '_');) {
      std::isdigit(static_cast<unsigned char>(word[0])) ? at.push_back(std::stod(word))
                                                        : void(filter = word);
    }
    Resizing resizing;
    resizing.source = {at.at(0), at.at(1), at.at(2), at.at(3)};
    resizing.height = static_cast<int>(at.at(4));
    resizing.width = static_cast<int>(at.at(5));
    resizing.part = {0, 0, resizing.height, resizing.width};
    resizing.interpolation =
        filter == "bicubic.png" ? Interpolation::bicubic : Interpolation::bilinear;
    Image out{resizing.height, resizing.width, {}};
    out.pixels.resize(static_cast<size_t>(out.height) * out.width * 3);
    resize_into(picture, resizing, out.pixels.data());
    EXPECT_EQ(out.pixels, read_picture(entry.path().string()).pixels) << name;
    ++count;
  }
  EXPECT_EQ(count, 8);
}

TEST(ResizeInto, APartEqualsThatPartOfTheFullResult) {
  const auto image = made_photo(61, 83, 1);
  // Both orders of the passes, a single pass, and none.
  for (const auto& [height, width] : std::vector<std::pair<int, int>>{
           {40, 50}, {90, 100}, {12, 80}, {61, 30}, {30, 83}, {61, 83}}) {
    const auto whole =
        resize(image, {0, 0, image.height, image.width}, height, width, Interpolation::bicubic);
    const Box part{height / 5, width / 3, height / 2, width / 2};
    std::vector<uint8_t> actual(static_cast<size_t>(part.height) * part.width * 3);
    resize_into(image, {whole_box(61, 83), height, width, part}, actual.data());
    for (int y = 0; y < part.height; ++y) {
      for (int x = 0; x < part.width * 3; ++x) {
        ASSERT_EQ(actual[static_cast<size_t>(y) * part.width * 3 + x],
                  whole.pixels[static_cast<size_t>(part.top + y) * width * 3 + part.left * 3 + x])
            << height << " x " << width << " at " << y << ", " << x;
      }
    }
  }
}

TEST(ResizeInto, ABoxOrAPartOutsideIsAnError) {
  const auto image = made_photo(8, 8, 1);
  std::vector<uint8_t> out(3 * 64);
  EXPECT_THROW(resize_into(image, {{0, 0, 8.5, 8}, 4, 4, {0, 0, 4, 4}}, out.data()), Error);
  EXPECT_THROW(resize_into(image, {{-0.5, 0, 8, 8}, 4, 4, {0, 0, 4, 4}}, out.data()), Error);
  EXPECT_THROW(resize_into(image, {{0, 0, 8, 8}, 4, 4, {0, 1, 4, 4}}, out.data()), Error);
  EXPECT_THROW(resize_into(image, {{0, 0, 8, 8}, 0, 4, {0, 0, 1, 4}}, out.data()), Error);
}

// Windows as a resize has them, with weights whose sums go below 0 and beyond 255.
ResizeWeights random_weights(int in, int out, int taps, CounterRng& rng) {
  ResizeWeights weights;
  weights.stride = (taps + 3) / 4 * 4;
  weights.values.assign(static_cast<size_t>(out) * weights.stride, 0);
  weights.halves.assign(weights.values.size() * 2, 0);
  for (int i = 0; i < out; ++i) {
    const int first = std::min(static_cast<int>(int64_t{i} * in / out), in - 1);
    const int count = std::min(1 + static_cast<int>(rng.below(taps)), in - first);
    weights.windows.push_back({first, count});
    for (int k = 0; k < count; ++k) {
      const size_t at = static_cast<size_t>(i) * weights.stride + k;
      weights.set(at, static_cast<int32_t>(rng.below((1 << 23) / taps)) - (1 << 21) / taps);
    }
  }
  return weights;
}

TEST(PixelKernels, EverySetGivesTheSameBytes) {
  const auto& fast = best_kernels();
  const auto& plain = portable_kernels();
  for (uint64_t i = 0; i < 200; ++i) {
    CounterRng rng{i};
    const int height = 1 + static_cast<int>(rng.below(40)),
              width = 1 + static_cast<int>(rng.below(70));
    const int out = 1 + static_cast<int>(rng.below(60)), taps = 1 + static_cast<int>(rng.below(13));
    // On the heap and not a byte longer, so that a sanitizer sees a read beyond the end.
    std::vector<uint8_t> pixels(static_cast<size_t>(height) * width * 3);
    for (auto& pixel : pixels) pixel = static_cast<uint8_t>(rng.next());

    const auto along = random_weights(width, out, taps, rng);
    const PixelKernels::Rows rows{pixels.data(), static_cast<size_t>(width) * 3, height, width, 0};
    std::vector<uint8_t> a(static_cast<size_t>(height) * out * 3), b(a.size());
    fast.resize_rows(rows, along, 0, out, a.data());
    plain.resize_rows(rows, along, 0, out, b.data());
    ASSERT_EQ(a, b) << "rows, case " << i;

    const auto down = random_weights(height, 1, taps, rng);
    a.resize(static_cast<size_t>(width) * 3);
    b.resize(a.size());
    fast.resize_column(pixels.data(), a.size(), down, 0, a.data(), a.size());
    plain.resize_column(pixels.data(), a.size(), down, 0, b.data(), a.size());
    ASSERT_EQ(a, b) << "columns, case " << i;
  }
}

TEST(PixelKernels, AWindowLargerThanTheVectorUnitsTakeIsRightToo) {
  const Image tall{9000, 3, std::vector<uint8_t>(9000 * 9, 77)};
  for (uint8_t value : resize(tall, {0, 0, 9000, 3}, 1, 2, Interpolation::bicubic).pixels) {
    EXPECT_EQ(value, 77);
  }
  const Image wide{3, 9000, std::vector<uint8_t>(9000 * 9, 77)};
  for (uint8_t value : resize(wide, {0, 0, 3, 9000}, 2, 1, Interpolation::bicubic).pixels) {
    EXPECT_EQ(value, 77);
  }
}

}  // namespace
}  // namespace wf::testing
