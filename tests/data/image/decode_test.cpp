#include "data/image/decode.h"

#include "support/picture.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>

namespace wf::testing {
namespace {

using namespace std::string_literals;

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

// A small file of such scans would take the time of a thousand images.
TEST(Decode, AJpegOfVeryManyScansIsRefused) {
  try {
    read_image(WF_SOURCE_DIR "/tests/fuzz/images/many_scans.jpg");
    FAIL() << "decoded";
  } catch (const UnreadableImage& problem) {
    EXPECT_NE(std::string(problem.what()).find("more than 100 scans"), std::string::npos)
        << problem.what();
  }
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

// The message that refuses `bytes`.
std::string refusal(const std::string& bytes) {
  try {
    decode_image(bytes, "file");
  } catch (const UnreadableImage& problem) {
    return problem.what();
  }
  ADD_FAILURE() << "decoded";
  return "";
}

std::string number(uint64_t value, size_t size, bool big = false) {
  std::string out;
  for (size_t i = 0; i < size; ++i) {
    out += static_cast<char>(value >> 8 * (big ? size - 1 - i : i) & 255);
  }
  return out;
}

// A TIFF file of one strip without its data; `last` are further entries.
std::string tiff(uint32_t width, uint32_t height, const std::string& last = "") {
  const auto tag = [](uint16_t id, uint16_t type, uint32_t value) {
    return number(id, 2) + number(type, 2) + number(1, 4) + number(value, 4);
  };
  std::string entries = tag(256, 4, width) + tag(257, 4, height) + tag(258, 3, 8) + tag(259, 3, 8) +
                        tag(262, 3, 1) + tag(273, 4, 8) + tag(277, 3, 1) + tag(278, 4, height) +
                        tag(279, 4, 8) + last;
  return std::string("II*\0", 4) + number(16, 4) + std::string(8, 'x') +
         number(entries.size() / 12, 2) + entries + number(0, 4);
}

// 30,000 pixels a side: 2.7 GB, of which no byte may be taken.
TEST(Decode, TheLimitOfPixelsHoldsForEveryFormat) {
  constexpr uint32_t kSide = 30000;
  const std::string png = "\x89PNG\r\n\x1a\n" + number(13, 4, true) + "IHDR" +
                          number(kSide, 4, true) + number(kSide, 4, true) + std::string(9, '\2');
  const std::string bmp = "BM" + std::string(8, '\0') + number(54, 4) + number(40, 4) +
                          number(kSide, 4) + number(kSide, 4) + number(1, 2) + number(24, 2) +
                          std::string(24, '\0');
  const std::string riff = "RIFF" + number(22, 4) + "WEBP";
  const std::string extended = riff + "VP8X" + number(10, 4) + std::string(4, '\0') +
                               number(kSide - 1, 3) + number(kSide - 1, 3);
  const uint32_t sides = 16382 | 16382u << 14;
  const std::string lossless = riff + "VP8L" + number(10, 4) + "/" + number(sides, 4) + "00000";
  const std::string lossy =
      riff + "VP8 " + number(10, 4) + "000\x9d\x01\x2a" + number(16383, 2) + number(16383, 2);
  const std::string jpeg = "\xff\xd8\xff\xc0" + number(11, 2, true) + "\x8" +
                           number(kSide, 2, true) + number(kSide, 2, true) + "\1\1\x11" +
                           std::string(1, '\0') + "\xff\xda" + number(8, 2, true) + "\1\1" +
                           std::string("\0\0\x3f\0", 4);
  for (const auto& bytes : {png, bmp, extended, lossless, lossy, jpeg, tiff(kSide, kSide),
                            std::string("P6 30000 30000 255\n"), std::string("P1 30000 30000\n1"),
                            std::string("P5 9999999999 9999999999 1\n")}) {
    const auto message = refusal(bytes);
    EXPECT_NE(message.find("the limit is 178956970"), std::string::npos) << message;
  }
}

TEST(Decode, AFileShorterThanItsPixelsIsRefusedBeforeMemoryIsTaken) {
  for (const char* header : {"P6 13000 13000 255\n", "P5 13000 13000 65535\n", "P4 13000 13000\n",
                             "P3 13000 13000 255\n1 2 3", "P1 13000 13000\n1 0 1"}) {
    const auto message = refusal(header);
    EXPECT_NE(message.find("its pixels take at least"), std::string::npos) << message;
  }
  const auto tile =
      refusal(tiff(8, 8,
                   number(322, 2) + number(4, 2) + number(1, 4) + number(0xfffffff0, 4) +
                       number(323, 2) + number(4, 2) + number(1, 4) + number(0xfffffff0, 4)));
  EXPECT_NE(tile.find("TIFF: damaged"), std::string::npos) << tile;
}

TEST(Decode, SamplesOfPnmAreScaledAsPilScalesThem) {
  using Pixels = std::vector<uint8_t>;
  EXPECT_EQ(decode_image("P6 1 1 15 \x0\x7\xf"s, "ppm").pixels, (Pixels{0, 119, 255}));
  EXPECT_EQ(decode_image("P3 1 1 1023 0 512 1023"s, "ppm").pixels, (Pixels{0, 128, 255}));
  EXPECT_EQ(decode_image("P2 # width\n1 1 100 50"s, "pgm").pixels, (Pixels{128, 128, 128}))
      << "127.5 to the even side";
  EXPECT_EQ(decode_image("P5 1 1 1023 \x0\x1"s, "pgm").pixels, (Pixels{64, 64, 64}));
  EXPECT_EQ(decode_image("P5 1 1 65535 \x1\x1"s, "pgm").pixels, (Pixels{255, 255, 255}));
  EXPECT_EQ(decode_image("P1 2 1 01"s, "pbm").pixels, (Pixels{255, 255, 255, 0, 0, 0}));
}

TEST(Decode, WhatIsNotSupportedIsNamed) {
  const auto animated = "RIFF" + number(22, 4) + "WEBPVP8X" + number(10, 4) + "\2" +
                        std::string(3, '\0') + number(9, 3) + number(9, 3);
  EXPECT_EQ(refusal(animated), "file: an animated WebP is not supported; store one frame of it");
  auto lab = tiff(8, 8);
  lab[16 + 2 + 12 * 4 + 8] = 8;
  EXPECT_EQ(refusal(lab), "file: TIFF: CIE L*a*b* colours are not supported; store it as RGB");
  EXPECT_NE(refusal("GIF89a").find("JPEG, PNG, WebP, BMP, TIFF, PNM"), std::string::npos);
}

TEST(Decode, AMissingFileAndADirectoryAreUnreadable) {
  EXPECT_THROW(read_image(WF_GOLDEN_DIR "/images/none.jpg"), UnreadableImage);
  EXPECT_THROW(read_image(WF_GOLDEN_DIR "/images"), UnreadableImage);
}

TEST(Decode, WhatIsNoRegularFileIsNamedAndNotWaitedFor) {
  const TempDir directory;
  const auto pipe = directory / "pipe.jpg", socket = directory / "socket.jpg";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket.copy(address.sun_path, sizeof address.sun_path - 1);
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(::bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  for (const auto& path : {pipe, socket, std::string("/dev/zero"), directory.path()}) {
    try {
      read_image(path);
      ADD_FAILURE() << path;
    } catch (const UnreadableImage& problem) {
      EXPECT_EQ(problem.what(), path + ": cannot read: not a regular file");
    }
  }
  ::close(descriptor);
}

TEST(Decode, TooManyOpenFilesAreNoFaultOfTheImage) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 0;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  std::string message = "decoded";
  try {
    read_image(WF_GOLDEN_DIR "/images/grey.jpg");
  } catch (const UnreadableImage&) {
    message = "counted as unreadable";
  } catch (const Error& problem) {
    message = problem.what();
  }
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(
      message, WF_GOLDEN_DIR
      "/images/grey.jpg: cannot open: Too many open files; raise the limit (ulimit -n), or use "
      "fewer workers (DATA.NUM_WORKERS)");
}

TEST(Decode, AFileOfATebibyteIsNamedWithItsSize) {
  const TempDir directory;
  const auto path = directory / "huge.jpg";
  std::ofstream(path) << "x";
  std::filesystem::resize_file(path, uintmax_t{1} << 40);  // a hole
  try {
    read_image(path);
    FAIL() << "read";
  } catch (const UnreadableImage& problem) {
    EXPECT_EQ(problem.what(), path + ": cannot read: 1099511627776 bytes, the limit for an image " +
                                  "is 1073741824; store it smaller, or remove it");
  }
}

TEST(Decode, AnImageTruncatedAnywhereIsNeverDecodedSilently) {
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
