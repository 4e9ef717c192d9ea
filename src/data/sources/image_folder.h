#pragma once

#include "data/dataset.h"

#include <memory>
#include <string>
#include <vector>

namespace wf {

struct Listing;

struct ImageFolderOptions {
  /// Take these, in this order, instead of the class folders found; a folder that is not among them
  /// is an error, one that is missing is not.
  std::vector<std::string> classes;
  /// Folder where the listing is kept between runs; "" for nowhere.
  std::string listing_cache;
};

/// root/CLASS/*.{jpg,jpeg,png,bmp,webp,ppm,pgm,tif,tiff}, also in folders below CLASS. Classes and
/// the pictures of a class are in bytewise order of their names, as in torchvision. Files that are
/// no pictures are counted in the log.
class ImageFolder : public Dataset {
 public:
  /// Throws wf::Error in one line when `root` is not a folder or holds no class or no picture.
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
