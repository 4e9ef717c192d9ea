#pragma once

#include "weightformer/data/dataset.h"

#include <string>
#include <vector>

namespace wf {

/// root/CLASS/*.{jpg,jpeg,png,bmp,webp,ppm,pgm,tif,tiff}, also in folders below CLASS. Classes and
/// the pictures of a class are in bytewise order of their names, as in torchvision.
class ImageFolder : public Dataset {
 public:
  /// `classes`: take these, in this order, instead of the folders found; a folder that is not among
  /// them is an error, one that is missing is not. Throws wf::Error in one line when `root` is not
  /// a folder or holds no class or no picture.
  explicit ImageFolder(const std::string& root, std::vector<std::string> classes = {});

  int64_t size() const override { return static_cast<int64_t>(entries_.size()); }
  int64_t label(int64_t i) const override { return entries_[i].label; }
  std::string name(int64_t i) const override;
  Encoded read(int64_t i) const override;

  /// Classes without a picture.
  std::vector<std::string> empty_classes() const;

 private:
  struct Entry {
    std::string file;  // below root_
    int32_t label;
  };
  void list_class(const std::string& name, int32_t label);

  std::string root_;
  std::vector<Entry> entries_;
};

}  // namespace wf
