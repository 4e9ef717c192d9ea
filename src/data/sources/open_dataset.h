#pragma once

#include "data/dataset.h"
#include "data/sources/read_ahead.h"

#include <memory>
#include <string>
#include <vector>

namespace wf {

/// Where pictures come from: DATA.* of the configuration.
struct DataSourceOptions {
  std::string path;  ///< the folder that holds the training and validation sets
  DatasetKind dataset = DatasetKind::imagenet;
  bool zip = false;           ///< SPLIT.zip and SPLIT_map.txt instead of the folder SPLIT/
  CacheOptions cache;         ///< of zip and packed files
  bool cache_listing = true;  ///< keep the list of a folder's files between runs
};

/// The set `split` ("train" or "val") of `options.path`: CIFAR-100's files, a zip, SPLIT.wfpack
/// where there is one, else the image folder SPLIT/. `classes`: the numbering of the training set
/// or checkpoint; empty for that of the set itself. What is odd but can be trained on (classes
/// without pictures, one class alone) is said in the log. Throws wf::Error in one line otherwise.
std::shared_ptr<Dataset> open_dataset(const DataSourceOptions& options, const std::string& split,
                                      std::vector<std::string> classes = {});

/// Whether there is a set `split`.
bool has_split(const DataSourceOptions& options, const std::string& split);

/// Classes without a picture.
std::vector<std::string> empty_classes(const Dataset& pictures);

}  // namespace wf
