#include "fashion_mnist.h"

#include "weightformer/core/check.h"

#include "runtime/progress_bar.h"

#include <opencv2/imgcodecs.hpp>

#include <algorithm>
#include <filesystem>
#include <iomanip>
#include <sstream>

namespace wf {
namespace {

// By label.
const char* const kClasses[kFashionClasses] = {"t_shirt", "trouser",   "pullover", "dress",
                                               "coat",    "sandal",    "shirt",    "sneaker",
                                               "bag",     "ankle_boot"};

}  // namespace

FashionMnist read_fashion_mnist(const std::string& source, const std::string& stem) {
  const std::string file = source + "/" + stem;
  FashionMnist set{read_idx(file + "-images-idx3-ubyte.gz", 3), {}};
  const auto labels = read_idx(file + "-labels-idx1-ubyte.gz", 1);
  WF_CHECK(labels.shape[0] == set.images.shape[0], file, ": ", set.images.shape[0], " images and ",
           labels.shape[0], " labels");
  set.by_class.resize(kFashionClasses);
  for (int64_t i = 0; i < labels.shape[0]; ++i) {
    const int label = labels.values[i];
    WF_CHECK(label < kFashionClasses, file, ": image ", i, " has the label ", label);
    set.by_class[label].push_back(i);
  }
  const auto smallest =
      std::min_element(set.by_class.begin(), set.by_class.end(),
                       [](const auto& a, const auto& b) { return a.size() < b.size(); });
  set.smallest_class = static_cast<int64_t>(smallest->size());
  return set;
}

int64_t images_per_class(const char* flag, int64_t count, int64_t most) {
  if (count == kAllImages) count = most * kFashionClasses;
  WF_CHECK(count > 0 && count % kFashionClasses == 0 && count / kFashionClasses <= most, "--", flag,
           " ", count, ": expected a multiple of ", kFashionClasses, " up to ",
           most * kFashionClasses);
  return count / kFashionClasses;
}

void write_split(const FashionMnist& set, const std::string& directory, int64_t begin,
                 int64_t count) {
  const int rows = static_cast<int>(set.images.shape[1]);
  const int columns = static_cast<int>(set.images.shape[2]);
  ProgressBar bar(directory, count * kFashionClasses);
  for (int label = 0; label < kFashionClasses; ++label) {
    const std::string place = directory + "/" + kClasses[label];
    std::filesystem::create_directories(place);
    for (int64_t i = begin; i < begin + count; ++i) {
      const int64_t number = set.by_class[label][i];
      const uint8_t* pixels = &set.images.values[number * rows * columns];
      std::ostringstream file;
      file << place << "/" << std::setw(5) << std::setfill('0') << number << ".png";
      WF_CHECK(
          cv::imwrite(file.str(), cv::Mat(rows, columns, CV_8UC1, const_cast<uint8_t*>(pixels))),
          file.str(), ": cannot write (disk full?)");
      bar.show(label * count + i - begin + 1);
    }
  }
}

}  // namespace wf
