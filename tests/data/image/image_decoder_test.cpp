#include "data/image/image_decoder.h"

#include "weightformer/core/random.h"

#include "data/image/decode.h"
#include "support/photo.h"
#include "support/picture.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace wf::testing {
namespace {

Image copy_of(const ImageView& view) {
  Image image{view.height, view.width, {}};
  for (int y = 0; y < view.height; ++y) {
    const auto* row = view.data + y * view.stride;
    image.pixels.insert(image.pixels.end(), row, row + static_cast<size_t>(view.width) * 3);
  }
  return image;
}

ImageView cut(const ImageView& view, const Box& box) {
  return {view.data + box.top * view.stride + static_cast<size_t>(box.left) * 3, view.stride,
          box.height, box.width};
}

Box random_box(int height, int width, CounterRng& rng) {
  const int h = 1 + static_cast<int>(rng.below(height)), w = 1 + static_cast<int>(rng.below(width));
  return {static_cast<int>(rng.below(height - h + 1)), static_cast<int>(rng.below(width - w + 1)),
          h, w};
}

// Every golden image, and photographs in the forms that those lack.
std::vector<std::pair<std::string, Encoded>> pictures() {
  std::vector<std::pair<std::string, Encoded>> out;
  for (const auto& entry : std::filesystem::directory_iterator(WF_GOLDEN_DIR "/images")) {
    out.emplace_back(entry.path().filename().string(), wf::read_file(entry.path().string()));
  }
  out.emplace_back("420", as_jpeg(made_photo(150, 173, 1)));
  out.emplace_back("420 progressive", as_jpeg(made_photo(97, 64, 2), progressive()));
  out.emplace_back("420 restarts", as_jpeg(made_photo(64, 201, 3), with_restarts(3)));
  return out;
}

TEST(ImageDecoder, KnowsItsSizeBeforeItIsDecoded) {
  ImageDecoder picture(as_jpeg(made_photo(150, 173, 1)), "x");
  EXPECT_EQ(picture.height(), 150);
  EXPECT_EQ(picture.width(), 173);
}

TEST(ImageDecoder, APartAtFullSizeHasThePixelsOfAFullDecode) {
  for (const auto& [name, file] : pictures()) {
    ImageDecoder all(file, name), some(file, name);
    const auto whole = copy_of(all.full());
    EXPECT_EQ(whole.pixels, decode_image(file.bytes, name).pixels) << name;
    for (uint64_t i = 0; i < 40; ++i) {
      CounterRng rng{i};
      const Box box = random_box(whole.height, whole.width, rng);
      const auto part = some.part(box, box.height, box.width);
      ASSERT_EQ(part.box.top, 0);
      ASSERT_EQ(part.box.width, box.width);
      ASSERT_EQ(copy_of(part.pixels).pixels, copy_of(cut(whole, box)).pixels)
          << name << ": " << box.top << " " << box.left << " " << box.height << " " << box.width;
    }
  }
}

// Mean and largest difference, in steps of 255, between a reduced and a full decode of `file`.
std::pair<double, int> cost_of_reducing(const Encoded& file, int share) {
  ImageDecoder all(file, "x"), some(file, "x");
  const auto whole = all.full();
  double mean = 0;
  int most = 0;
  constexpr int kBoxes = 6;
  for (uint64_t i = 0; i < kBoxes; ++i) {
    CounterRng rng{i};
    Box box = random_box(whole.height / 2, whole.width / 2, rng);
    box.height += whole.height / 2;
    box.width += whole.width / 2;
    const int height = box.height / (2 * share), width = box.width / (2 * share);
    const auto part = some.part(box, height, width);
    EXPECT_NEAR(part.box.height * share, box.height, 1e-9) << "another size was decoded";
    std::vector<uint8_t> expected(static_cast<size_t>(height) * width * 3), actual(expected.size());
    const Box full{0, 0, height, width};
    resize_into(cut(whole, box), {whole_box(box.height, box.width), height, width, full},
                expected.data());
    resize_into(part.pixels, {part.box, height, width, full}, actual.data());
    double sum = 0;
    for (size_t k = 0; k < actual.size(); ++k) {
      const int difference = std::abs(actual[k] - expected[k]);
      sum += difference;
      most = std::max(most, difference);
    }
    mean = std::max(mean, sum / static_cast<double>(actual.size()));
  }
  return {mean, most};
}

TEST(ImageDecoder, AReducedDecodeKeepsTheToleranceThatItsHeaderStates) {
  std::vector<Encoded> photos;
  for (const char* name : {"rgb_420.jpg", "rgb_444_progressive.jpg", "grey.jpg", "cmyk.jpg"}) {
    photos.push_back(wf::read_file(WF_GOLDEN_DIR "/images/" + std::string(name)));
  }
  photos.push_back(as_jpeg(made_photo(611, 803, 4)));
  photos.push_back(as_jpeg(made_photo(611, 803, 5), progressive()));
  for (size_t i = 0; i < photos.size(); ++i) {
    for (int share : {2, 4}) {
      const auto [mean, most] = cost_of_reducing(photos[i], share);
      EXPECT_LE(mean, 2.1) << "photo " << i << " at 1/" << share;
      EXPECT_LE(most, 34) << "photo " << i << " at 1/" << share;
    }
  }
}

TEST(ImageDecoder, IsReducedOnlyWhenTheBoxIsLargeEnough) {
  ImageDecoder picture(as_jpeg(made_photo(640, 640, 6)), "x");
  const auto rows = [&](int side) { return picture.part({0, 0, 640, 640}, side, 40).box.height; };
  EXPECT_EQ(rows(161), 640);
  EXPECT_EQ(rows(160), 320);
  EXPECT_EQ(rows(80), 160);
  EXPECT_EQ(rows(20), 160);
}

TEST(ImageDecoder, AFileThatWasCutOffIsFoundFromAnyPart) {
  const auto file = as_jpeg(made_photo(200, 160, 7));
  for (size_t length = 0; length + 1 < file.bytes.size(); length += 61) {
    const std::string cut(file.bytes.substr(0, length));
    EXPECT_THROW(ImageDecoder({cut, nullptr}, "cut").part({0, 0, 20, 20}, 20, 20), UnreadableImage)
        << length;
    EXPECT_THROW(ImageDecoder({cut, nullptr}, "cut").full(), UnreadableImage) << length;
  }
}

TEST(ImageDecoder, BytesAfterTheEndDoNoHarm) {
  const auto file = as_jpeg(made_photo(100, 100, 8));
  const std::string longer = std::string(file.bytes) + std::string(5, '\0');
  ImageDecoder picture({longer, nullptr}, "longer"), plain(file, "plain");
  const Box box{10, 10, 30, 30};
  EXPECT_EQ(copy_of(picture.part(box, 30, 30).pixels).pixels,
            copy_of(plain.part(box, 30, 30).pixels).pixels);
}

TEST(ImageDecoder, EveryDamagedImageIsNamedInOneLine) {
  for (const auto& entry : std::filesystem::directory_iterator(WF_GOLDEN_DIR "/images_bad")) {
    const auto path = entry.path().string();
    try {
      ImageDecoder picture(wf::read_file(path), path);
      picture.full();
      ADD_FAILURE() << path << " was decoded";
    } catch (const UnreadableImage& problem) {
      EXPECT_EQ(std::string(problem.what()).rfind(path + ": ", 0), 0u) << problem.what();
    }
  }
}

TEST(ImageDecoder, APpmIsUsedInPlaceAndATruncatedOneIsDamaged) {
  const auto image = made_photo(11, 7, 9);
  const auto file = as_ppm(image);
  ImageDecoder picture(file, "x");
  const auto view = picture.full();
  EXPECT_EQ(reinterpret_cast<const char*>(view.data) + image.pixels.size(),
            file.bytes.data() + file.bytes.size());
  EXPECT_EQ(copy_of(view).pixels, image.pixels);
  EXPECT_THROW(ImageDecoder({file.bytes.substr(0, file.bytes.size() - 1), nullptr}, "cut").full(),
               UnreadableImage);
}

TEST(ImageDecoder, ABoxOutsideIsAnError) {
  ImageDecoder picture(as_jpeg(made_photo(20, 20, 1)), "x");
  EXPECT_THROW(picture.part({0, 0, 21, 20}, 4, 4), Error);
}

}  // namespace
}  // namespace wf::testing
