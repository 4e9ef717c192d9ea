#pragma once

#include "data/dataset.h"
#include "data/sources/read_ahead.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace wf {

struct ZipEntry;

struct ZipFolderOptions {
  std::vector<std::string> classes;  ///< of the training set; empty: named by this archive
  CacheOptions cache;
};

/// A zip archive and a map of its images, one "path/in/zip<TAB>label" a line, as Swin
/// Transformer's trainer reads them (Liu et al. 2021, its data/cached_image_folder.py). Images
/// are in the map's order. Those stored without compression are read in place.
///
/// A class is named after the directory of its images if every class has exactly one, else by its
/// index.
class ZipFolder : public Dataset {
 public:
  /// `map` "": all images in the archive, without classes. Throws wf::Error in one line for what is
  /// truncated, damaged, or has a label that `classes` does not. An image of the map that the
  /// archive lacks is named in the log and unreadable.
  ZipFolder(const std::string& archive, const std::string& map, ZipFolderOptions options = {});
  ~ZipFolder() override;

  int64_t size() const override;
  int64_t label(int64_t i) const override;
  std::string name(int64_t i) const override;
  Encoded read(int64_t i) const override;

 private:
  struct Item;
  void read_map(const std::string& map);
  void find_pictures(const std::string& map);
  void take_all();
  void name_classes(std::vector<std::string> known, const std::string& map);

  std::shared_ptr<const MappedFile> archive_;
  std::string map_text_;  // contains the names of the images
  std::vector<Item> pictures_;
  std::unique_ptr<ReadAhead> read_ahead_;
};

}  // namespace wf
