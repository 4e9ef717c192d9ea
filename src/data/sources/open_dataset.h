#pragma once

#include "data/dataset.h"
#include "data/sources/read_ahead.h"

#include <memory>
#include <string>
#include <vector>

namespace wf {

/// The image source: DATA.* of the configuration.
struct DataSourceOptions {
  std::string path;  ///< the directory that holds the training and validation sets
  DatasetKind dataset = DatasetKind::imagenet;
  bool zip = false;           ///< SPLIT.zip and SPLIT_map.txt instead of the directory SPLIT/
  CacheOptions cache;         ///< of zip and packed files
  bool cache_listing = true;  ///< cache the file list of a directory
};

/// The set `split` ("train" or "val") of `options.path`: CIFAR-100's files, a zip, SPLIT.wfpack
/// where there is one, else the image directory SPLIT/. `classes`: the numbering of the training
/// set or checkpoint; empty for that of the set itself. Logs a warning for classes without images
/// and for a single class. Throws wf::Error in one line.
std::shared_ptr<Dataset> open_dataset(const DataSourceOptions& options, const std::string& split,
                                      std::vector<std::string> classes = {});

/// Whether the set `split` exists.
bool has_split(const DataSourceOptions& options, const std::string& split);

/// Classes without an image.
std::vector<std::string> empty_classes(const Dataset& pictures);

}  // namespace wf
