#include "data/image/decode.h"
#include "data/image/image_decoder.h"
#include "fuzz.h"

#include <algorithm>

namespace {

// So that one run stays short: a claim of a hundred million pixels is legal.
constexpr int64_t kSmall = 1 << 20;

void decode(std::string_view bytes) {
  wf::ImageDecoder picture({bytes, nullptr}, "fuzz");
  const int height = picture.height(), width = picture.width();
  if (int64_t{height} * width > kSmall) return;
  const wf::Box middle{height / 4, width / 4, std::max(1, height / 2), std::max(1, width / 2)};
  uint64_t sum = 0;  // of every pixel, so that a sanitizer sees each read
  const auto read = [&](const wf::ImageView& view) {
    for (int row = 0; row < view.height; ++row) {
      for (int i = 0; i < view.width * 3; ++i) sum += view.data[row * view.stride + i];
    }
  };
  read(picture.part(middle, std::max(1, height / 8), std::max(1, width / 8)).pixels);
  read(picture.full());
  volatile uint64_t seen = sum;
  (void)seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    decode({reinterpret_cast<const char*>(data), size});
  } catch (const wf::UnreadableImage&) {
  }
  return 0;
}

// A file of a few bytes may claim 178,956,970 pixels, which are kept twice at most.
const size_t fuzz_megabytes = 1200;
std::string fuzz_seed(const std::string& file) { return file; }
