#include "data/sources/cifar.h"

#include "weightformer/core/check.h"

#include "data/image/decode.h"
#include "data/sources/class_names.h"
#include "runtime/log.h"

#include <filesystem>
#include <sstream>

namespace wf {
namespace {

constexpr int kSide = 32, kFineClasses = 100;
constexpr size_t kPlane = size_t{kSide} * kSide, kImageBytes = 2 + 3 * kPlane;

std::vector<std::string> read_names(const std::string& path) {
  std::istringstream lines(std::string(MappedFile(path).bytes()));
  std::vector<std::string> names;
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) names.push_back(line);
  }
  WF_CHECK(names.size() == kFineClasses, path, ": names ", names.size(), " classes, expected ",
           kFineClasses, ", one a line");
  return names;
}

std::string find_folder(const std::string& folder, const std::string& file) {
  const std::string inner = folder + "/cifar-100-binary";
  if (std::filesystem::exists(folder + "/" + file)) return folder;
  if (std::filesystem::exists(inner + "/" + file)) return inner;
  throw Error(str(folder, ": no ", file,
                  " here and none in cifar-100-binary/; DATA.DATASET "
                  "cifar100 reads the binary version, cifar-100-binary.tar.gz unpacked"));
}

}  // namespace

Cifar100::Cifar100(const std::string& folder, const std::string& file,
                   std::vector<std::string> classes) {
  const std::string place = find_folder(folder, file), path = place + "/" + file;
  file_ = std::make_shared<const MappedFile>(path);
  const auto bytes = file_->bytes();
  WF_CHECK(!bytes.empty() && bytes.size() % kImageBytes == 0, path, ": has ", bytes.size(),
           " bytes, not a multiple of the ", kImageBytes,
           " that an image takes: truncated, or not CIFAR-100's binary version");
  classes_ = std::move(classes);
  const auto numbers = number_classes(read_names(place + "/fine_label_names.txt"), classes_, place);
  for (size_t i = 0; i < bytes.size() / kImageBytes; ++i) {
    const auto fine = static_cast<uint8_t>(bytes[i * kImageBytes + 1]);
    WF_CHECK(fine < kFineClasses, path, ": image ", i, " is of the class ", int{fine},
             ", and there are 0 to ", kFineClasses - 1, ": not CIFAR-100's binary version");
    labels_.push_back(numbers[fine]);
  }
  const int64_t published = file == "train.bin" ? 50'000 : 10'000;
  if (size() != published) {
    log::warning("{}: {} images, and the published file has {}", path, size(), published);
  }
}

std::string Cifar100::name(int64_t i) const { return str(file_->path(), " image ", i); }

Encoded Cifar100::read(int64_t i) const {
  if (!file_->whole()) {
    throw UnreadableImage(name(i) + ": the file has become shorter since it was opened");
  }
  const char* planes = file_->bytes().data() + static_cast<size_t>(i) * kImageBytes + 2;
  Image image{kSide, kSide, std::vector<uint8_t>(3 * kPlane)};
  for (size_t at = 0; at < kPlane; ++at) {
    for (size_t channel = 0; channel < 3; ++channel) {
      image.pixels[at * 3 + channel] = static_cast<uint8_t>(planes[channel * kPlane + at]);
    }
  }
  return as_ppm(image);
}

}  // namespace wf
