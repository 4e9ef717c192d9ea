#pragma once

#include "data/dataset.h"

#include <memory>
#include <string>
#include <vector>

namespace wf {

struct Listing;

struct ImageFolderOptions {
  /// The classes in this order, instead of the class directories found; an additional directory is
  /// an error, a missing one is not.
  std::vector<std::string> classes;
  /// Directory of the listing cache; "" for no cache.
  std::string listing_cache;
};

/// root/CLASS/*.{jpg,jpeg,png,bmp,webp,ppm,pgm,tif,tiff}, also in subdirectories of CLASS. Classes
/// and the images of a class are in bytewise order of their names, as in torchvision. Other files
/// are counted in the log.
class ImageFolder : public Dataset {
 public:
  /// Throws wf::Error in one line when `root` is not a directory or holds no class or no image.
  explicit ImageFolder(const std::string& root, ImageFolderOptions options = {});

  int64_t size() const override { return static_cast<int64_t>(labels_.size()); }
  int64_t label(int64_t i) const override { return labels_[i]; }
  std::string name(int64_t i) const override;
  Encoded read(int64_t i) const override;

 private:
  std::string root_;
  std::shared_ptr<const Listing> listing_;
  std::vector<int32_t> labels_;
};

}  // namespace wf
