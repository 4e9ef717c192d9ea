// Images by number, for metrics that see every image of a set.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace wf {

/// Thread-safe for reading.
class ImageSet {
 public:
  virtual ~ImageSet() = default;
  virtual int64_t size() const = 0;
  /// [3, H, W] uint8, RGB; gray images are repeated over the channels. Throws wf::Error naming an
  /// image that cannot be read: leaving it out would change the figure.
  virtual at::Tensor image(int64_t i) const = 0;
};

/// Image files of any format that training reads.
std::unique_ptr<ImageSet> image_set(std::vector<std::string> files);

/// arr_0 of an archive: uint8 [N, H, W, 3], ADM's sample batches; [N, H, W, 1] and [N, H, W] are
/// gray. Not read into memory where it is stored without compression. Throws wf::Error.
std::unique_ptr<ImageSet> image_array(const std::string& path);

/// Images [begin, end) of `set`, read by `threads` threads.
std::vector<at::Tensor> read_images(const ImageSet& set, int64_t begin, int64_t end, int threads);

}  // namespace wf
