// Fashion-MNIST (Xiao, Rasul, Vollgraf 2017) from its four gzipped IDX files.
#pragma once

#include "idx.h"

#include <cstdint>
#include <string>
#include <vector>

namespace wf {

constexpr int kFashionClasses = 10;
constexpr int64_t kAllImages = -1;

struct FashionMnist {
  Idx images;
  std::vector<std::vector<int64_t>> by_class;  ///< indices of the images, ascending
  int64_t smallest_class = 0;                  ///< its number of images
};

/// Reads SOURCE/STEM-images-idx3-ubyte.gz and its labels; `stem` is train or t10k. Throws wf::Error
/// naming the file.
FashionMnist read_fashion_mnist(const std::string& source, const std::string& stem);

/// The number of images per class for `--flag count`, at most `most`; kAllImages: all of
/// them. Throws wf::Error unless every class can have as many.
int64_t images_per_class(const char* flag, int64_t count, int64_t most);

/// Writes images begin … begin + count of each class as DIRECTORY/CLASS/NNNNN.png. Throws wf::Error
/// when one cannot be written.
void write_split(const FashionMnist& set, const std::string& directory, int64_t begin,
                 int64_t count);

}  // namespace wf
