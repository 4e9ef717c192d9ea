#include "data/image/decode.h"

#include "support/picture.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace wf::testing {
namespace {

TEST(Decode, EveryGoldenImageEqualsPils) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(WF_GOLDEN_DIR "/images")) {
    const auto name = entry.path().filename().string();
    const auto expected = read_picture(WF_GOLDEN_DIR "/decoded/" + name + ".png");
    expect_pixels(read_image(entry.path().string()), expected, 2, 0.3, name);
    ++count;
  }
  EXPECT_EQ(count, 11);
}

TEST(Decode, APpmIsReadBackExactly) {
  const auto image = read_image(WF_GOLDEN_DIR "/decoded/rgb_420.jpg.png");
  EXPECT_EQ(decode_image(as_ppm(image).bytes, "ppm").pixels, image.pixels);
}

TEST(Decode, EveryDamagedImageIsNamedInOneLine) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(WF_GOLDEN_DIR "/images_bad")) {
    const auto path = entry.path().string();
    try {
      read_image(path);
      ADD_FAILURE() << path << " was decoded";
    } catch (const UnreadableImage& problem) {
      const std::string message = problem.what();
      EXPECT_EQ(message.rfind(path + ": ", 0), 0u) << message;
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    }
    ++count;
  }
  EXPECT_EQ(count, 6);
}

TEST(Decode, AnAbsurdClaimIsRefusedForItsSize) {
  try {
    read_image(WF_GOLDEN_DIR "/images_bad/huge_claim.png");
    FAIL() << "decoded";
  } catch (const UnreadableImage& problem) {
    EXPECT_NE(std::string(problem.what()).find("the limit is 178956970"), std::string::npos)
        << problem.what();
  }
}

TEST(Decode, AMissingFileAndADirectoryAreUnreadable) {
  EXPECT_THROW(read_image(WF_GOLDEN_DIR "/images/none.jpg"), UnreadableImage);
  EXPECT_THROW(read_image(WF_GOLDEN_DIR "/images"), UnreadableImage);
}

TEST(Decode, ATruncatedImageIsNeverDecodedSilently) {
  std::string bytes;
  {
    std::ifstream in(WF_GOLDEN_DIR "/images/odd_size_422.jpg", std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  for (size_t length = 0; length + 2 < bytes.size(); length += 97) {
    EXPECT_THROW(decode_image(bytes.substr(0, length), "cut"), UnreadableImage) << length;
  }
}

}  // namespace
}  // namespace wf::testing
