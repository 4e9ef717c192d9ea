#pragma once

#include "data/dataset.h"
#include "data/sources/read_ahead.h"
#include "data/sources/tar_index.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace wf {

struct TarImagesOptions {
  std::vector<std::string> classes;  ///< of the training set; empty: those of the files
  std::string labels;                ///< a file of labels, see read_label_file(); "": none
  CacheOptions cache;
  std::optional<std::string> index_cache;  ///< see tar_index()
  /// false: images without a label have no class, whatever their directories are called, and are in
  /// the order of the index.
  bool need_classes = true;
};

/// Images in tar files, which are read at any place by the index of each: an image tar as
/// ILSVRC2012_img_train.tar, with class directories or inner tar files, or webdataset's shards,
/// with a .cls, .json or .txt file for each image.
///
/// With directories, those that all images share are left out and the next one is the class; where
/// there are none, of several files each is a class of its name. Images are then in the order that
/// ImageFolder gives them. Labels that are numbers from 0 number the classes.
class TarImages : public Dataset {
 public:
  /// Throws wf::Error in one line for what is cut short, damaged or without classes, a class that
  /// `classes` does not have, and what make_tar_index() refuses.
  TarImages(const std::vector<std::string>& files, TarImagesOptions options = {});
  ~TarImages() override;

  int64_t size() const override { return static_cast<int64_t>(images_.size()); }
  int64_t label(int64_t i) const override { return images_[i].label; }
  std::string name(int64_t i) const override;
  Encoded read(int64_t i) const override;

 private:
  struct File {
    std::shared_ptr<const MappedFile> tar;
    TarIndex index;
  };
  struct TarImage {
    uint32_t file, sample;
    int32_t label;
  };
  void open(const std::vector<std::string>& paths, const std::optional<std::string>& cache);
  void number_by_label(const std::vector<std::string>& labels, const std::string& where);
  void number_by_directory();
  void sort_as_a_folder(std::vector<std::vector<TarImage>> by_class);
  std::vector<std::vector<std::string>> class_of_groups() const;

  std::vector<File> files_;
  std::vector<TarImage> images_;
  std::unique_ptr<ReadAhead> read_ahead_;
};

}  // namespace wf
