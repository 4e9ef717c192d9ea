#pragma once

#include "data/dataset.h"
#include "data/sources/read_ahead.h"

#include <memory>
#include <string>
#include <vector>

namespace wf {

/// Where one set of images is: DATA.TRAIN* or DATA.VAL*.
struct ImageSetOptions {
  std::string path;    ///< see open_images(); "": what DataSourceOptions::path holds
  std::string labels;  ///< a file of labels, for tar files; see read_label_file()
  std::string subset;  ///< a file of names; "": all images
};

/// The image source: DATA.* of the configuration.
struct DataSourceOptions {
  std::string path;  ///< the directory that holds the training and validation sets
  DatasetKind dataset = DatasetKind::imagenet;
  ImageSetOptions train, val;
  std::string class_map;      ///< a file, see with_class_map(); "": none
  bool zip = false;           ///< SPLIT.zip and SPLIT_map.txt instead of the directory SPLIT/
  CacheOptions cache;         ///< of zip and packed files
  bool cache_listing = true;  ///< cache the file list of a directory, the index of a tar file
};

/// The images at `path`: a .wfpack file, a .zip archive with STEM_map.txt, a .tar file, several by
/// a pattern such as train-{000..146}.tar or in a directory without directories, else an image
/// directory. Of `options` only the labels and the caches count. Throws wf::Error in one line.
std::shared_ptr<Dataset> open_images(const std::string& path, const DataSourceOptions& options,
                                     const std::string& labels = "",
                                     std::vector<std::string> classes = {});

/// The set `split` ("train" or "val"): the one that `options` name, else in `options.path`
/// CIFAR-100's files, a zip, SPLIT.wfpack where there is one, the directory SPLIT/ of images or tar
/// files, or the tar files of tar_files_of_split(). `classes`: the numbering of the training
/// set or checkpoint; empty for that of the set itself. Logs a warning for classes without images
/// and for a single class. Throws wf::Error in one line.
std::shared_ptr<Dataset> open_dataset(const DataSourceOptions& options, const std::string& split,
                                      std::vector<std::string> classes = {});

/// Whether the set `split` exists.
bool has_split(const DataSourceOptions& options, const std::string& split);

/// Whether it is in tar files, which have an index. Throws wf::Error as tar_files_of_split() does.
bool is_in_tars(const DataSourceOptions& options, const std::string& split);

/// Classes without an image.
std::vector<std::string> empty_classes(const Dataset& images);

}  // namespace wf
